use std::time::Duration;

use serde::{Deserialize, Serialize};
use toolhost_identity::{Binding, Directory as _, TenantId};
use toolhost_policy::{ConnectionName, ErrorCode, PublicError};
use toolhost_store::{Space, StateError, StatePurpose, StateSealer};
use toolhost_tenancy::StoredDirectory;
use toolhost_vault::{CodeVerifier, CredentialKey, LOGIN_TIME, LoginError, UserId};
use zeroize::Zeroizing;

/// For how long a link may be opened: the time that a person needs to change to a browser.
pub(super) const LINK_TIME: Duration = Duration::from_secs(300);

/// Bytes of a verifier's text.
const VERIFIER: usize = 43;

/// Whose account a login connects. It is sealed into the link, and then into the state that the
/// authorization server sends back, so that any host of the installation goes on with it; nothing
/// of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    pub(super) tenant: String,
    /// Which tenant of its id: not one that was added when the other was removed.
    incarnation: u64,
    pub(super) issuer: String,
    pub(super) subject: String,
}

impl LoginRequest {
    pub(super) fn new(binding: &Binding, directory: &StoredDirectory) -> Self {
        Self {
            tenant: binding.tenant().to_string(),
            incarnation: directory.tree().incarnation(binding.tenant()),
            issuer: binding.principal().issuer().to_owned(),
            subject: binding.principal().subject().to_owned(),
        }
    }

    /// What the account's credential is stored under.
    pub(super) fn account(&self, connection: &ConnectionName) -> Result<CredentialKey, LoginError> {
        let tenant = TenantId::parse(&self.tenant).map_err(|_| LoginError::State)?;
        let user = UserId {
            issuer: self.issuer.as_str().into(),
            subject: self.subject.as_str().into(),
        };
        Ok(CredentialKey::of_sealed_login(
            tenant,
            connection.clone(),
            user,
        ))
    }

    /// Whether the tenant is served now and is the one that asked. Asked of the store: another host
    /// may have removed it.
    pub(super) async fn is_served(&self, directory: &StoredDirectory) -> bool {
        if let Err(error) = directory.refresh().await {
            tracing::warn!(%error, "a login ends, since the directory of tenants cannot be read");
            return false;
        }
        let tree = directory.tree();
        TenantId::parse(&self.tenant)
            .is_ok_and(|id| tree.is_available(&id) && tree.incarnation(&id) == self.incarnation)
    }

    /// The ticket of a link.
    pub(super) async fn ticket(
        &self,
        states: &StateSealer,
        connection: &ConnectionName,
    ) -> Result<String, PublicError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let parts: &[&[u8]] = &[connection.as_str().as_bytes()];
        let sealed = states
            .seal(&Space::Host, link_purpose(parts), LINK_TIME, &text)
            .await;
        sealed.map_err(|error| seal_error(&error))
    }

    /// Who a ticket was made for, where it is good still.
    pub(super) async fn of_ticket(
        states: &StateSealer,
        connection: &ConnectionName,
        ticket: &str,
    ) -> Result<Self, StateError> {
        let parts: &[&[u8]] = &[connection.as_str().as_bytes()];
        let text = states
            .peek(&Space::Host, link_purpose(parts), ticket)
            .await?;
        read(&text)
    }

    /// Opens the ticket and uses it up.
    pub(super) async fn take_ticket(
        states: &StateSealer,
        connection: &ConnectionName,
        ticket: &str,
    ) -> Result<Self, StateError> {
        let parts: &[&[u8]] = &[connection.as_str().as_bytes()];
        let text = states
            .take(&Space::Host, link_purpose(parts), ticket)
            .await?;
        read(&text)
    }

    /// The state of a login in the browser that has this cookie.
    pub(super) async fn state(
        &self,
        states: &StateSealer,
        connection: &ConnectionName,
        cookie: &str,
        verifier: &CodeVerifier,
    ) -> Result<String, PublicError> {
        let mut text = Zeroizing::new(verifier.to_sealed());
        text.extend(serde_json::to_vec(self).unwrap_or_default());
        let parts: &[&[u8]] = &[connection.as_str().as_bytes(), cookie.as_bytes()];
        let sealed = states
            .seal(&Space::Host, visit(parts), LOGIN_TIME, &text)
            .await;
        sealed.map_err(|error| seal_error(&error))
    }

    /// Whose login a state is, in the browser that has this cookie, once.
    pub(super) async fn take_state(
        states: &StateSealer,
        connection: &ConnectionName,
        cookie: &str,
        state: &str,
    ) -> Result<(Self, CodeVerifier), StateError> {
        let parts: &[&[u8]] = &[connection.as_str().as_bytes(), cookie.as_bytes()];
        let text = states.take(&Space::Host, visit(parts), state).await?;
        let (verifier, rest) = text.split_at_checked(VERIFIER).ok_or(StateError::Invalid)?;
        let verifier = CodeVerifier::from_sealed(verifier).ok_or(StateError::Invalid)?;
        Ok((read(rest)?, verifier))
    }
}

fn read(text: &[u8]) -> Result<LoginRequest, StateError> {
    serde_json::from_slice(text).map_err(|_| StateError::Invalid)
}

/// In the host's space: who opens a link has no token, and says no tenant.
fn link_purpose<'a>(parts: &'a [&'a [u8]]) -> StatePurpose<'a> {
    StatePurpose {
        word: "login link",
        parts,
    }
}

fn visit<'a>(parts: &'a [&'a [u8]]) -> StatePurpose<'a> {
    StatePurpose {
        word: "login state",
        parts,
    }
}

fn seal_error(error: &toolhost_store::StoreError) -> PublicError {
    tracing::error!(%error, "a login cannot be sealed");
    PublicError::new(ErrorCode::Internal, "the login cannot be sealed")
}

/// 256 bits, as 43 characters that a cookie takes as they are.
pub(super) fn random() -> Result<String, PublicError> {
    use base64::Engine as _;
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| {
        PublicError::new(ErrorCode::Internal, "the machine gives no random numbers")
    })?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}
