use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use toolhost_identity::strict_object;
use toolhost_net::OutboundResponse;
use toolhost_policy::Secret;
use zeroize::Zeroizing;

use super::KvOrigin;
use crate::own_secret::OwnSecret;
use crate::provider_endpoint::{ProviderRequest, ProviderSettingsError, status_error};
use crate::{CredentialError, SecretSource};
use toolhost_policy::read_secret;

/// How long a failed login is told to those that come after it.
const FAILED: Duration = Duration::from_millis(500);

/// How the host proves itself there.
#[derive(Debug, Clone)]
pub enum KvAuth {
    /// A token that somebody else renews (an agent, say); its file is read again when it changes.
    Token(SecretSource),
    /// AppRole: a token is got by a login, and anew before its lease ends.
    AppRole {
        /// Where the method is mounted: `approle` as a rule.
        mount: String,
        /// The role's id; not secret.
        role_id: String,
        /// The role's secret id.
        secret_id: SecretSource,
    },
}

pub(super) enum KvAuthState {
    Token(OwnSecret),
    AppRole {
        mount: String,
        role_id: String,
        secret_id: OwnSecret,
        lease: Mutex<Option<TokenLease>>,
        /// One login at a time, and when the last one failed and why: those that waited for it do
        /// not each try again.
        login: tokio::sync::Mutex<Option<(Instant, CredentialError)>>,
    },
}

#[derive(Clone)]
pub(super) struct TokenLease {
    token: Arc<Secret>,
    renew_at: Instant,
}

impl KvAuthState {
    pub(super) fn new(settings: KvAuth) -> Result<Self, ProviderSettingsError> {
        let own = |name, source| {
            OwnSecret::new(source).map_err(|why| ProviderSettingsError::Secret(name, why))
        };
        match settings {
            KvAuth::Token(source) => Ok(Self::Token(own("token", source)?)),
            KvAuth::AppRole {
                mount,
                role_id,
                secret_id,
            } => {
                if !super::is_path(&mount) || role_id.is_empty() {
                    return Err(ProviderSettingsError::Setting(
                        "auth",
                        "needs a mount and a role_id",
                    ));
                }
                Ok(Self::AppRole {
                    mount,
                    role_id,
                    secret_id: own("secret_id", secret_id)?,
                    lease: Mutex::default(),
                    login: tokio::sync::Mutex::default(),
                })
            }
        }
    }

    /// Whether a token that is refused may have a successor.
    pub(super) fn can_log_in(&self) -> bool {
        matches!(self, Self::AppRole { .. })
    }
}

impl KvOrigin {
    /// The token, by a login where there is none or its lease ends. `not`: one that was refused.
    pub(super) async fn token(
        &self,
        not: Option<&Arc<Secret>>,
    ) -> Result<Arc<Secret>, CredentialError> {
        let KvAuthState::AppRole {
            mount,
            role_id,
            secret_id,
            lease,
            login,
        } = &self.auth
        else {
            let KvAuthState::Token(token) = &self.auth else {
                return Err(CredentialError::Unavailable(
                    "the host has no way to prove itself",
                ));
            };
            return token.read().await;
        };
        let known = || {
            let lease = lease.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let is_good = |lease: &TokenLease| {
                lease.renew_at > Instant::now()
                    && not.is_none_or(|not| !Arc::ptr_eq(not, &lease.token))
            };
            lease.filter(is_good).map(|lease| lease.token)
        };
        if let Some(token) = known() {
            return Ok(token);
        }
        let mut last_failure = login.lock().await;
        if let Some(token) = known() {
            return Ok(token);
        }
        if let Some((at, error)) = *last_failure
            && at.elapsed() < FAILED
        {
            return Err(error);
        }
        let made = self.log_in(mount, role_id, secret_id).await;
        let made = made.inspect_err(|error| *last_failure = Some((Instant::now(), *error)))?;
        *last_failure = None;
        let token = Arc::clone(&made.token);
        *lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        Ok(token)
    }

    async fn log_in(
        &self,
        mount: &str,
        role_id: &str,
        secret_id: &OwnSecret,
    ) -> Result<TokenLease, CredentialError> {
        let secret_id = secret_id.read().await?;
        let secret_id = str::from_utf8(secret_id.expose())
            .map_err(|_| CredentialError::Unavailable("the secret id is not text"))?;
        let body = json!({ "role_id": role_id, "secret_id": secret_id }).to_string();
        let mut asked = ProviderRequest::post("application/json", body.into());
        asked.headers.extend(self.headers());
        let segments = ["v1", "auth"]
            .into_iter()
            .chain(mount.split('/'))
            .chain(["login"]);
        asked.at = self.place.destination.below(segments);
        let answered = Instant::now();
        let answer = self.place.ask(&self.network, None, asked).await?;
        logged_in(&answer, answered)
    }
}

fn logged_in(answer: &OutboundResponse, asked: Instant) -> Result<TokenLease, CredentialError> {
    const NO: CredentialError =
        CredentialError::Unavailable("the login at the key/value store failed");
    if answer.status != 200 {
        tracing::warn!(
            status = answer.status,
            "the login at the key/value store failed"
        );
        return Err(status_error(
            answer,
            "the login at the key/value store failed",
        ));
    }
    let mut object = strict_object(&answer.body).map_err(|_| NO)?;
    let auth = object
        .get_mut("auth")
        .and_then(Value::as_object_mut)
        .ok_or(NO)?;
    let Some(Value::String(token)) = auth.remove("client_token") else {
        return Err(NO);
    };
    let token = read_secret(Zeroizing::new(token).as_bytes()).map_err(|_| NO)?;
    let seconds = auth
        .get("lease_duration")
        .and_then(Value::as_u64)
        .ok_or(NO)?;
    // At two thirds of its life, as Vault's own agent does; 0 is one that does not end.
    let life = if seconds == 0 {
        3_600
    } else {
        seconds.min(86_400)
    };
    Ok(TokenLease {
        token: Arc::new(token),
        renew_at: asked + Duration::from_secs(life) * 2 / 3,
    })
}
