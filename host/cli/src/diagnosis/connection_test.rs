use std::time::Duration;

use tokio::net::TcpStream;
use toolhost_admin::{AdminError, ConnectionTestReport, TestStep, UserName};
use toolhost_identity::{Operator, TenantId};
use toolhost_policy::{Connection, CredentialOwner, ErrorCode, UnixTime};
use toolhost_vault::{CredentialKey, CredentialRequest, UserId};

use super::explain::base;
use super::{HostDiagnosis, error};
use crate::config::AUTHORITY;

/// A provider that answers no sooner has failed, as in a call.
const PROVIDER: Duration = Duration::from_secs(10);

/// A connection that is not open by then is not opened.
const CONNECT: Duration = Duration::from_secs(5);

impl HostDiagnosis {
    pub(super) async fn test_connection(
        &self,
        connection: &str,
        tenant: &str,
        user: Option<&UserName>,
    ) -> Result<ConnectionTestReport, AdminError> {
        let connection = &self.connection(connection)?;
        let tenant = TenantId::parse(tenant)
            .map_err(|why| error(ErrorCode::InvalidRequest, why.to_string()))?;
        let user = match (connection.credential_of, user) {
            (CredentialOwner::Tenant, None) => None,
            (CredentialOwner::User, Some(user)) => Some(UserId {
                issuer: user.issuer.as_str().into(),
                subject: user.subject.as_str().into(),
            }),
            (CredentialOwner::User, None) => {
                let why = "the connection uses users' own credentials: give --user-issuer and --user-subject";
                return Err(error(ErrorCode::InvalidRequest, why.to_owned()));
            }
            (CredentialOwner::Tenant, Some(_)) => {
                let why = "the connection uses the tenant's credential: leave out --user-issuer and --user-subject";
                return Err(error(ErrorCode::InvalidRequest, why.to_owned()));
            }
        };
        let by = Operator::of_this_process();
        let key = CredentialKey::of_operator(tenant.clone(), connection.name.clone(), user, &by);
        let mut steps = Vec::new();
        let attributes = self.get(connection, &key, &mut steps).await;
        self.probe_address(connection, attributes.as_ref(), &mut steps)
            .await;
        Ok(ConnectionTestReport {
            connection: connection.name.to_string(),
            tenant: tenant.to_string(),
            passed: steps.iter().all(|step| step.passed),
            steps,
        })
    }

    /// Gets the credential as a call would; its attributes.
    async fn get(
        &self,
        connection: &Connection,
        key: &CredentialKey,
        steps: &mut Vec<TestStep>,
    ) -> Option<std::collections::BTreeMap<String, String>> {
        let mut say = |passed, detail: String| {
            steps.push(TestStep {
                step: "credential".to_owned(),
                passed,
                detail,
            });
        };
        if !connection.needs_credential() {
            say(true, "none is sent".to_owned());
            return None;
        }
        if connection.credentials == AUTHORITY {
            say(
                true,
                "a caller's own token of the tenant authority; nobody else has one".to_owned(),
            );
            return None;
        }
        let Some(provider) = self.providers.get(&connection.credentials) else {
            say(
                false,
                format!("there is no provider {}", connection.credentials),
            );
            return None;
        };
        let request = CredentialRequest::until(key, UnixTime::now().after(PROVIDER));
        match tokio::time::timeout(PROVIDER, provider.fetch(request)).await {
            Err(_) => say(
                false,
                format!("{} did not answer in time", self.kind(connection)),
            ),
            Ok(Err(why)) => say(false, format!("{}: {why}", self.kind(connection))),
            Ok(Ok(credential)) => {
                let names: Vec<&str> = credential.attributes.keys().map(String::as_str).collect();
                let end = credential.expires_at.map(|end| format!(", until {end}"));
                say(
                    true,
                    format!(
                        "{}: version {}{}, attributes: {}",
                        self.kind(connection),
                        credential.version,
                        end.unwrap_or_default(),
                        if names.is_empty() {
                            "none".to_owned()
                        } else {
                            names.join(", ")
                        }
                    ),
                );
                let mut needed = connection.attributes();
                if let Some(lacking) =
                    needed.find(|name| !credential.attributes.contains_key(*name))
                {
                    say(
                        false,
                        format!(
                            "it lacks the attribute {lacking}, which the connection is filled from"
                        ),
                    );
                }
                return Some(credential.attributes.clone());
            }
        }
        None
    }

    /// Looks the address up, and opens a connection on which nothing is sent.
    async fn probe_address(
        &self,
        connection: &Connection,
        attributes: Option<&std::collections::BTreeMap<String, String>>,
        steps: &mut Vec<TestStep>,
    ) {
        let mut say = |step: &str, passed, detail: String| {
            steps.push(TestStep {
                step: step.to_owned(),
                passed,
                detail,
            });
        };
        let base = match base(connection, attributes) {
            Ok(base) => base,
            Err(why) => return say("address", false, why),
        };
        let mut refused = Vec::new();
        let rows = self.addresses(connection, &base, &mut refused).await;
        if !refused.is_empty() {
            return say("address", false, refused.join("; "));
        }
        let all: Vec<String> = rows
            .iter()
            .map(|row| format!("{} ({})", row.address, row.class))
            .collect();
        say("address", true, all.join(", "));
        let port = base.port_or_known_default().unwrap_or_default();
        for row in &rows {
            let Ok(address) = row.address.parse::<std::net::IpAddr>() else {
                continue;
            };
            let opened = tokio::time::timeout(CONNECT, TcpStream::connect((address, port))).await;
            match opened {
                Ok(Ok(_)) => {
                    return say(
                        "reach",
                        true,
                        format!("{address} port {port} answers; nothing was sent"),
                    );
                }
                Ok(Err(why)) => say("reach", false, format!("{address} port {port}: {why}")),
                Err(_) => say("reach", false, format!("{address} port {port}: no answer")),
            }
        }
    }
}
