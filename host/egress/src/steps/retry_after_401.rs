use std::sync::Arc;

use http::StatusCode;
use toolhost_policy::{AuthPlacement, Connection, Endpoint};
use toolhost_vault::{Credential, CredentialKey, CredentialProvider};

use super::credential::credential;
use crate::EgressCall;

/// After a 401: the provider drops the credential that was refused, and where it has another one by
/// now, that is for one more attempt. `None`: the answer stands.
///
/// Idempotent methods alone (RFC 9110 section 9.2.2), since an upstream may have acted before it
/// refused. The same credential is not sent twice.
pub async fn another_credential(
    provider: Option<&dyn CredentialProvider>,
    call: &EgressCall,
    connection: &Connection,
    endpoint: &Endpoint,
    status: StatusCode,
    tried: Option<&Credential>,
) -> Option<Arc<Credential>> {
    if status != StatusCode::UNAUTHORIZED || matches!(connection.auth, AuthPlacement::None) {
        return None;
    }
    let (provider, tried) = (provider?, tried?);
    provider.evict(
        &CredentialKey::from_binding(call.binding(), connection),
        tried.version,
    );
    if !endpoint.method.is_idempotent() {
        return None;
    }
    let found = credential(Some(provider), call, connection).await.ok()??;
    (found.version != tried.version).then_some(found)
}
