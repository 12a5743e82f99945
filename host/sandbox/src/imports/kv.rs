use std::sync::Arc;

use toolhost_store::{KvError, KvScope, KvSpace, PluginKv};

use crate::bindings::toolhost::plugin::kv::{Entry, Host, Page};
use crate::bindings::toolhost::plugin::types::Failure;
use crate::state::HostState;

impl crate::bindings::toolhost::plugin::types::Host for HostState {}

pub(super) fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure {
        code: code.to_owned(),
        message: message.into(),
        detail: None,
        meta: Vec::new(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn kv_failure(error: KvError) -> Failure {
    let code = match &error {
        KvError::Key | KvError::Value | KvError::Page => "invalid-arguments",
        KvError::Conflict => "conflict",
        KvError::Full => "limit",
        // Which space, which file and why are the operator's to read, not the guest's.
        KvError::Unavailable(why) => {
            tracing::warn!(%why, "a plugin's values cannot be reached");
            "failed"
        }
    };
    failure(code, error.to_string())
}

impl HostState {
    /// The space of a scope for a change, which the operation mode may not allow (N22). The call
    /// has no result then.
    fn kv_space_to_change(&mut self, scope: &str) -> Result<(Arc<PluginKv>, KvSpace), Failure> {
        if let Some(call) = &self.scope {
            let egress = &call.context.egress;
            if !egress.mode().lets_keep() {
                egress.block();
                let message = format!(
                    "the operation mode is {}: nothing that is kept is changed",
                    egress.mode()
                );
                return Err(failure("denied", message));
            }
        }
        self.kv_space(scope)
    }

    /// The space that the guest means, and one operation less to spend.
    fn kv_space(&mut self, scope: &str) -> Result<(Arc<PluginKv>, KvSpace), Failure> {
        let Some(call) = self.scope.as_mut() else {
            return Err(failure(
                "denied",
                "a plugin that describes itself has no values",
            ));
        };
        let scope = match scope {
            "shared" => KvScope::Shared,
            "personal" => KvScope::Personal,
            _ => {
                return Err(failure(
                    "invalid-arguments",
                    "a scope is shared or personal",
                ));
            }
        };
        let Some(left) = call.kv_calls_left.checked_sub(1) else {
            return Err(failure(
                "limit",
                "the call has used its operations on kv ([limits] kv_calls)",
            ));
        };
        call.kv_calls_left = left;
        let space = KvSpace::new(&call.context.binding, &call.context.plugin, scope);
        Ok((Arc::clone(&call.kv), space))
    }
}

impl Host for HostState {
    async fn get(
        &mut self,
        scope: String,
        key: String,
    ) -> wasmtime::Result<Result<Option<Entry>, Failure>> {
        let (kv, space) = match self.kv_space(&scope) {
            Ok(reached) => reached,
            Err(failure) => return Ok(Err(failure)),
        };
        let found = kv.get(&space, &key).await.map_err(kv_failure);
        Ok(found.map(|entry| {
            entry.map(|entry| Entry {
                value: entry.value,
                version: entry.version,
            })
        }))
    }

    async fn put(
        &mut self,
        scope: String,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<u64, Failure>> {
        match self.kv_space_to_change(&scope) {
            Ok((kv, space)) => Ok(kv.put(&space, &key, value).await.map_err(kv_failure)),
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn delete(
        &mut self,
        scope: String,
        key: String,
    ) -> wasmtime::Result<Result<bool, Failure>> {
        match self.kv_space_to_change(&scope) {
            Ok((kv, space)) => Ok(kv.delete(&space, &key).await.map_err(kv_failure)),
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn list_keys(
        &mut self,
        scope: String,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Page, Failure>> {
        let (kv, space) = match self.kv_space(&scope) {
            Ok(reached) => reached,
            Err(failure) => return Ok(Err(failure)),
        };
        let page = kv
            .list_keys(&space, &prefix, cursor.as_deref(), limit)
            .await;
        Ok(page.map_err(kv_failure).map(|page| Page {
            keys: page.keys,
            cursor: page.cursor,
        }))
    }

    async fn compare_and_set(
        &mut self,
        scope: String,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<u64, Failure>> {
        match self.kv_space_to_change(&scope) {
            Ok((kv, space)) => Ok(kv
                .compare_and_set(&space, &key, expected, value)
                .await
                .map_err(kv_failure)),
            Err(failure) => Ok(Err(failure)),
        }
    }
}
