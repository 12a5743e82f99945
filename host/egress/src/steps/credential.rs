use std::sync::Arc;
use std::time::{Duration, Instant};

use toolhost_identity::Binding;
use toolhost_policy::{AuthPlacement, Connection, UnixTime, secrets_of_parts};
use toolhost_vault::{Credential, CredentialKey, CredentialProvider, CredentialRequest};

use crate::{EgressCall, EgressCode, EgressFailure};

/// A provider that answers no sooner has failed (E9); a token endpoint far away takes one or two
/// seconds.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(5);

/// In bytes. A shorter secret cannot be told from ordinary text when it comes back, so it is not
/// sent.
pub const MIN_SECRET: usize = 8;

const TOO_SHORT: &str =
    "the secret is shorter than 8 bytes, so it could not be found in a response";

/// In bytes. No header of this length is accepted anywhere, and the needles' memory is bounded by
/// it.
const MAX_SECRET: usize = 8 << 10;

/// The credential of the call's tenant (and user, where the connection says so) for this
/// connection. `None` where the connection attaches nothing that a credential has.
///
/// # Errors
/// `not-connected`, the same for a tenant that is unknown, has none or has an expired one;
/// `credential-unavailable` where whoever keeps it failed or did not answer in time, which is worth
/// trying again. Nothing stands in for it (E19).
pub async fn credential(
    provider: Option<&dyn CredentialProvider>,
    call: &EgressCall,
    connection: &Connection,
) -> Result<Option<Arc<Credential>>, EgressFailure> {
    if !connection.needs_credential() {
        return Ok(None);
    }
    lookup(provider, call, connection).await.map(Some)
}

/// The credential of a connection of which something is needed in any case.
pub(crate) async fn lookup(
    provider: Option<&dyn CredentialProvider>,
    call: &EgressCall,
    connection: &Connection,
) -> Result<Arc<Credential>, EgressFailure> {
    let found = fetch_usable(provider, call.binding(), connection, call.deadline()).await;
    found.map_err(|unusable| {
        let (name, reason) = (&connection.name, &unusable.reason);
        tracing::debug!(connection = %name, call = call.id(), reason, "no usable credential");
        if let Some(wait) = unusable.wait {
            call.wait_for_credential(wait);
            let message =
                format!("the credential of connection {name} cannot be had now; try again");
            return EgressFailure::new(EgressCode::CredentialUnavailable, message);
        }
        let message = match provider.and_then(|provider| provider.connect_at(name)) {
            // The page alone, and no way past it: who logs in there proves who they are.
            Some(page) => {
                format!("connection {name} has no account of yours yet; connect one at {page}")
            }
            None => format!("connection {name} has no usable credential"),
        };
        EgressFailure::new(EgressCode::NotConnected, message)
    })
}

/// The credential that a call would send, for a caller that only asks which one it is: `None` where
/// nothing of one is sent or given to the plugin.
///
/// # Errors
/// There is none, and why.
pub(crate) async fn usable_credential(
    provider: Option<&dyn CredentialProvider>,
    binding: &Binding,
    connection: &Connection,
    deadline: Instant,
) -> Result<Option<Arc<Credential>>, String> {
    if !connection.needs_credential() && connection.provide.is_empty() {
        return Ok(None);
    }
    let found = fetch_usable(provider, binding, connection, deadline).await;
    found.map(Some).map_err(|unusable| unusable.reason)
}

async fn fetch_usable(
    provider: Option<&dyn CredentialProvider>,
    binding: &Binding,
    connection: &Connection,
    deadline: Instant,
) -> Result<Arc<Credential>, MissingCredential> {
    let provider = provider.ok_or_else(|| format!("no provider {:?}", connection.credentials))?;
    let key = CredentialKey::from_binding(binding, connection);
    let end = Instant::now()
        .checked_add(LOOKUP_DEADLINE)
        .unwrap_or(deadline)
        .min(deadline);
    let left = deadline.saturating_duration_since(Instant::now());
    let request = CredentialRequest {
        key: &key,
        usable_until: UnixTime::now().after(left),
        binding: Some(binding),
    };
    let found = tokio::time::timeout_at(end.into(), provider.fetch(request)).await;
    let credential = found
        .map_err(|_| MissingCredential {
            reason: "the provider did not answer in time".to_owned(),
            wait: Some(None),
        })?
        .map_err(|error| MissingCredential {
            reason: error.to_string(),
            wait: error.is_temporary().then(|| error.public().retry_after),
        })?;
    check(&credential, connection).map_err(str::to_owned)?;
    Ok(credential)
}

/// Why there is no credential, for the log.
struct MissingCredential {
    reason: String,
    /// Whether it may be there later, and where it is known after how many seconds.
    wait: Option<Option<u64>>,
}

impl From<String> for MissingCredential {
    fn from(reason: String) -> Self {
        Self { reason, wait: None }
    }
}

fn check(credential: &Credential, connection: &Connection) -> Result<(), &'static str> {
    if !credential.is_valid_at(UnixTime::now()) {
        return Err("it has expired");
    }
    if matches!(connection.auth, AuthPlacement::None) {
        return Ok(());
    }
    if credential.secret.len() < MIN_SECRET {
        return Err(TOO_SHORT);
    }
    if let AuthPlacement::Parts(parts) = &connection.auth {
        let secrets = secrets_of_parts(parts, credential.secret.expose());
        let secrets = secrets
            .ok_or("it is not a JSON object with a text for each of auth.parts and no other")?;
        if secrets.iter().any(|secret| secret.len() < MIN_SECRET) {
            return Err(TOO_SHORT);
        }
    }
    if credential.secret.len() > MAX_SECRET {
        return Err("the secret is longer than 8 KiB");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use toolhost_policy::{AuthPlacement, Connection, HeaderTemplate};
    use toolhost_vault::Credential;

    use super::credential;
    use crate::testing::{CountingProvider, call, call_for, connection, grant_of};
    use crate::{EgressCode, EgressFailure};

    async fn get(
        provider: &CountingProvider,
        change: impl FnOnce(&mut Connection),
    ) -> Result<Option<Arc<Credential>>, EgressFailure> {
        let mut connection = connection("billing", "https://billing.example.com");
        change(&mut connection);
        credential(
            Some(provider),
            &call(grant_of("billing", "https://billing.example.com", |_| {})),
            &connection,
        )
        .await
    }

    #[tokio::test]
    async fn the_credential_is_that_of_the_calls_tenant() {
        let provider = CountingProvider::with_secrets(&[
            ("acme", "secret-of-acme"),
            ("globex", "secret-of-globex"),
        ]);
        let credential = get(&provider, |_| {}).await.unwrap().unwrap();
        assert_eq!(credential.secret.expose(), b"secret-of-acme");
    }

    #[tokio::test]
    async fn no_tenant_gets_anothers_or_a_default() {
        let provider = CountingProvider::with_secrets(&[
            ("globex", "secret-of-globex"),
            ("default", "secret-of-default"),
        ]);
        assert_eq!(
            get(&provider, |_| {}).await.unwrap_err().code,
            EgressCode::NotConnected
        );
        let (call, connection) = (
            call(grant_of("b", "https://h.example", |_| {})),
            connection("b", "https://h.example"),
        );
        assert_eq!(
            credential(None, &call, &connection).await.unwrap_err().code,
            EgressCode::NotConnected
        );
    }

    #[tokio::test]
    async fn a_provider_that_hangs_is_worth_trying_again() {
        let (provider, connection) = (
            CountingProvider::hanging(),
            connection("billing", "https://billing.example.com"),
        );
        let call = call_for(
            grant_of("billing", "https://billing.example.com", |_| {}),
            Duration::from_millis(20),
        );
        let failure = credential(Some(&provider), &call, &connection)
            .await
            .unwrap_err();
        let unavailable = EgressCode::CredentialUnavailable;
        assert_eq!((failure.code, failure.sent), (unavailable, false));
    }

    #[tokio::test]
    async fn an_expired_a_short_and_an_endless_secret_are_not_sent() {
        for provider in [
            CountingProvider::with_secrets(&[("acme", "secret-of-acme")]).expiring(1),
            CountingProvider::with_secrets(&[("acme", "short")]),
            CountingProvider::with_secrets(&[("acme", &"x".repeat(9_000))]),
        ] {
            assert_eq!(
                get(&provider, |_| {}).await.unwrap_err().code,
                EgressCode::NotConnected
            );
        }
    }

    #[tokio::test]
    async fn a_connection_that_attaches_nothing_asks_nobody() {
        let provider = CountingProvider::with_secrets(&[]);
        assert!(
            get(&provider, |connection| connection.auth =
                AuthPlacement::None)
            .await
            .unwrap()
            .is_none()
        );
        assert_eq!(provider.request_count(), 0);
        let with_attribute = |connection: &mut Connection| {
            connection.auth = AuthPlacement::None;
            let template = HeaderTemplate::parse("{external_tenant_id}").unwrap();
            connection.headers = vec![(http::HeaderName::from_static("x-account-id"), template)];
        };
        assert_eq!(
            get(&provider, with_attribute).await.unwrap_err().code,
            EgressCode::NotConnected
        );
    }
}
