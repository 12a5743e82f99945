use std::sync::Arc;
use std::time::Duration;

use toolhost_egress::{Egress, EgressCall, WorkError};
use toolhost_identity::Binding;
use toolhost_policy::{PluginName, WorkBudget};
use toolhost_store::{ArtifactError, ArtifactStore, KvScope, NewArtifact};

use super::kv::failure;
use crate::bindings::toolhost::plugin::artifacts::{Artifact, Host, NewArtifact as Wanted};
use crate::bindings::toolhost::plugin::types::Failure;
use crate::state::HostState;

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn artifact_failure(error: ArtifactError) -> Failure {
    let code = match &error {
        ArtifactError::Name | ArtifactError::MimeType | ArtifactError::Ttl => "invalid-arguments",
        ArtifactError::TooLarge | ArtifactError::Full => "limit",
        // Which space, which file and why are the operator's to read, not the guest's.
        ArtifactError::Unavailable(why) => {
            tracing::warn!(%why, "a plugin's artifacts cannot be reached");
            "failed"
        }
    };
    failure(code, error.to_string())
}

/// Where the guest's artifacts are: what is kept, for whom, of which plugin.
type ArtifactScope = (Arc<ArtifactStore>, Binding, PluginName);

/// The artifact, if it holds no credential: callers fetch it past the search of results.
async fn search_artifact(
    egress: &Arc<Egress>,
    call: &Arc<EgressCall>,
    new: NewArtifact,
) -> Result<NewArtifact, Failure> {
    let (work, searching) = (call.host_work(), Arc::clone(call));
    let search = move |budget: &mut WorkBudget| {
        let name = new.name.as_deref().unwrap_or_default();
        for text in [name.as_bytes(), new.mime_type.as_bytes(), &new.bytes] {
            // The search reads each byte some times, for the spellings that a credential can have.
            budget.charge(text.len() as u64)?;
            if let Some(hit) = searching.credential_in_output(text) {
                return Ok(Err(hit));
            }
        }
        Ok(Ok(new))
    };
    let searched = work.run_on_pool(search).await.map(|searched| {
        searched.map_err(|hit| {
            egress.record_output_hit(call, &hit);
            failure(
                "reflected",
                "the artifact, or what was said before it, holds a connection's credential",
            )
        })
    });
    searched.unwrap_or_else(|error| {
        let code = match error {
            WorkError::Limit(_) => "limit",
            WorkError::Failed => "failed",
        };
        Err(failure(
            code,
            format!("the artifact was not searched for credentials: {error}"),
        ))
    })
}

impl HostState {
    /// The guest's artifacts, and one operation less to spend.
    fn artifacts(&mut self) -> Result<ArtifactScope, Failure> {
        let Some(call) = self.scope.as_mut() else {
            return Err(failure(
                "denied",
                "a plugin that describes itself has no artifacts",
            ));
        };
        let Some(left) = call.artifact_calls_left.checked_sub(1) else {
            return Err(failure(
                "limit",
                "the call has used its operations on artifacts ([limits] artifact_calls)",
            ));
        };
        call.artifact_calls_left = left;
        let context = &call.context;
        Ok((
            Arc::clone(&call.artifacts),
            context.binding.clone(),
            context.plugin.clone(),
        ))
    }
}

impl Host for HostState {
    async fn put(&mut self, wanted: Wanted) -> wasmtime::Result<Result<String, Failure>> {
        let scope = match wanted.scope.as_str() {
            "shared" => KvScope::Shared,
            "personal" => KvScope::Personal,
            _ => {
                return Ok(Err(failure(
                    "invalid-arguments",
                    "a scope is shared or personal",
                )));
            }
        };
        let (artifacts, binding, plugin) = match self.artifacts() {
            Ok(reached) => reached,
            Err(failure) => return Ok(Err(failure)),
        };
        let new = NewArtifact {
            scope,
            name: wanted.name,
            mime_type: wanted.mime_type,
            bytes: wanted.bytes,
            ttl: wanted.ttl_ms.map(Duration::from_millis),
        };
        let new = match &self.scope {
            None => new,
            Some(scope) => match search_artifact(&scope.egress, scope.egress_call(), new).await {
                Ok(new) => new,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        let id = artifacts.put(&binding, &plugin, new).await;
        Ok(id.map(|id| id.to_string()).map_err(artifact_failure))
    }

    async fn get(&mut self, id: String) -> wasmtime::Result<Result<Option<Artifact>, Failure>> {
        let (artifacts, binding, plugin) = match self.artifacts() {
            Ok(reached) => reached,
            Err(failure) => return Ok(Err(failure)),
        };
        let found = artifacts
            .get(&binding, &plugin, &id)
            .await
            .map_err(artifact_failure);
        Ok(found.map(|found| {
            found.map(|found| Artifact {
                name: found.name,
                mime_type: found.mime_type,
                bytes: found.bytes,
                meta: Vec::new(),
            })
        }))
    }

    async fn delete(&mut self, id: String) -> wasmtime::Result<Result<bool, Failure>> {
        Ok(match self.artifacts() {
            Ok((artifacts, binding, plugin)) => artifacts
                .delete(&binding, &plugin, &id)
                .await
                .map_err(artifact_failure),
            Err(failure) => Err(failure),
        })
    }
}
