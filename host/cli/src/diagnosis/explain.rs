use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use toolhost_admin::{AddressRow, AdminError, CredentialUse, ExplainRequest, Explanation, RuleRow};
use toolhost_identity::{Binding, Operator, TenantSpace};
use toolhost_net::AddressPolicy;
use toolhost_policy::{Connection, CredentialOwner, Secret, UnixTime};
use toolhost_tools::{ExplainedRequest, PluginState};
use toolhost_vault::{CredentialInfo, CredentialKey};
use url::Url;

use super::{HostDiagnosis, admin_error};
use crate::config::ProviderConfig;
use crate::setup::VAULT;

/// The name servers have this long.
const LOOK: Duration = Duration::from_secs(5);

/// The attributes that a base is filled from, where they are known.
type Attributes = Option<BTreeMap<String, String>>;

impl HostDiagnosis {
    pub(super) async fn explain_request(
        &self,
        asked: &ExplainRequest,
        token: &Secret,
    ) -> Result<Explanation, AdminError> {
        let connection = &self.connection(&asked.connection)?;
        let binding = self.binding(token).await?;
        let principal = binding.principal();
        let unstartable = self.unstartable.iter();
        let mut refused: Vec<String> = unstartable
            .map(|why| format!("the host would not start: {why}"))
            .collect();
        let rules = self
            .rules(connection, &binding, asked, &mut refused)
            .await?;
        let (credential, attributes) = self.credential(connection, &binding).await?;
        if credential.present == Some(false) {
            refused.push("there is no credential that could be used".to_owned());
        }
        let base = base(connection, attributes.as_ref());
        let addresses = match &base {
            Ok(base) => self.addresses(connection, base, &mut refused).await,
            Err(why) => {
                refused.push(why.clone());
                Vec::new()
            }
        };
        Ok(Explanation {
            tenant: binding.tenant().to_string(),
            issuer: principal.issuer().to_owned(),
            subject: principal.subject().to_owned(),
            kind: principal.kind().as_str().to_owned(),
            connection: connection.name.to_string(),
            allowed: refused.is_empty(),
            refused,
            rules,
            credential,
            origin: base.ok().map(|base| base.origin().ascii_serialization()),
            addresses,
        })
    }

    /// What the plan of a call says for each plugin and tool that has the connection.
    async fn rules(
        &self,
        connection: &Connection,
        binding: &Binding,
        asked: &ExplainRequest,
        refused: &mut Vec<String>,
    ) -> Result<Vec<RuleRow>, AdminError> {
        let explained = self
            .tools
            .explain(binding, &connection.name, &asked.method, &asked.path)
            .await
            .map_err(admin_error)?;
        let mut rules: Vec<_> = explained.into_iter().map(rule_row).collect();
        match rules.as_slice() {
            [] => refused.push("no plugin that is served asks for the connection".to_owned()),
            rows if rows.iter().any(|row| row.matches.is_some()) => {}
            [only] => refused.extend(only.why.clone()),
            _ => refused.push("nothing that has the connection may make such a request".to_owned()),
        }
        for status in self.tools.statuses().get().iter() {
            let why = match &status.state {
                PluginState::Served => continue,
                PluginState::Loading => "it is still being loaded".to_owned(),
                PluginState::LeftOut { why, .. } => format!("it is left out: {why}"),
            };
            rules.push(RuleRow {
                plugin: status.plugin.clone(),
                tool: None,
                matches: None,
                nearest: None,
                why: Some(why),
            });
        }
        Ok(rules)
    }

    /// The credential as far as nobody has to be asked for it.
    async fn credential(
        &self,
        connection: &Connection,
        binding: &Binding,
    ) -> Result<(CredentialUse, Attributes), AdminError> {
        let owner = match connection.credential_of {
            CredentialOwner::Tenant => "tenant",
            CredentialOwner::User => "user",
        };
        let said = CredentialUse {
            provider: connection.credentials.clone(),
            kind: self.kind(connection),
            owner: owner.to_owned(),
            ..CredentialUse::default()
        };
        if !connection.needs_credential() {
            let note = Some("the connection sends none".to_owned());
            return Ok((CredentialUse { note, ..said }, None));
        }
        let key = CredentialKey::from_binding(binding, connection);
        let provider = self.configured.get(&connection.credentials);
        let in_vault =
            connection.credentials == VAULT || provider.is_some_and(ProviderConfig::needs_vault);
        if in_vault {
            let stored = self.stored_credential(&key).await?;
            let is_over = stored.as_ref().is_some_and(|stored| {
                stored
                    .expires_at
                    .is_some_and(|end| end <= UnixTime::now().secs())
            });
            let note = match provider {
                _ if is_over => Some("it has expired".to_owned()),
                Some(provider) => Some(format!(
                    "what is in the vault; the token that is sent comes from [providers.{}] (kind = {:?}), which is not asked here",
                    connection.credentials,
                    provider.kind()
                )),
                None => None,
            };
            let attributes = stored.as_ref().map(|stored| stored.attributes.clone());
            let said = CredentialUse {
                present: Some(stored.is_some() && !is_over),
                fingerprint: stored.as_ref().map(|stored| stored.fingerprint.clone()),
                version: stored.as_ref().map(|stored| stored.version),
                expires_at: stored.and_then(|stored| stored.expires_at),
                note,
                ..said
            };
            return Ok((said, attributes));
        }
        if provider.is_some() || connection.credentials == crate::config::AUTHORITY {
            let note = Some(
                "it is asked for when a call needs it, and not here; host connection test asks"
                    .to_owned(),
            );
            return Ok((CredentialUse { note, ..said }, None));
        }
        let declared = match self.providers.get(&connection.credentials) {
            Some(provider) => provider.get(&key).await.ok(),
            None => None,
        };
        let attributes = declared
            .as_ref()
            .map(|declared| declared.attributes.clone());
        let said = CredentialUse {
            present: Some(declared.is_some()),
            version: declared.as_ref().map(|declared| declared.version),
            expires_at: declared.and_then(|declared| declared.expires_at),
            ..said
        };
        Ok((said, attributes))
    }

    /// What the vault's list has under a key.
    async fn stored_credential(
        &self,
        key: &CredentialKey,
    ) -> Result<Option<CredentialInfo>, AdminError> {
        let Some(vault) = &self.vault else {
            return Ok(None);
        };
        let by = Operator::of_this_process();
        let space = TenantSpace::of_operator(key.tenant().clone(), &by);
        let listing = vault.list(&space, &by).await.map_err(AdminError::from)?;
        let is_it = |info: &CredentialInfo| {
            info.connection == *key.connection() && info.user.as_ref() == key.user()
        };
        Ok(listing.credentials.into_iter().find(is_it))
    }

    /// The addresses of a host, each with its class and whether the connection goes there.
    pub(super) async fn addresses(
        &self,
        connection: &Connection,
        base: &Url,
        refused: &mut Vec<String>,
    ) -> Vec<AddressRow> {
        let Some(host) = base.host() else {
            refused.push("the base has no host".to_owned());
            return Vec::new();
        };
        let found = match self.network.look_at(&host, Instant::now() + LOOK).await {
            Ok(found) => found,
            Err(why) => {
                refused.push(format!("{host}: {why}"));
                return Vec::new();
            }
        };
        if found.is_empty() {
            refused.push(format!("{host} has no address"));
        }
        let policy = AddressPolicy::from_connection(connection);
        let mut rows = Vec::with_capacity(found.len());
        for (address, class) in found {
            let permitted = policy.permits(address);
            if let Err(why) = &permitted {
                refused.push(why.to_string());
            }
            rows.push(AddressRow {
                address: address.to_string(),
                class: class.as_str().to_owned(),
                allowed: permitted.is_ok(),
            });
        }
        rows
    }
}

fn rule_row(explained: ExplainedRequest) -> RuleRow {
    let (matches, nearest, why) = match explained.outcome {
        Ok(planned) => (Some(planned.endpoint), None, None),
        Err(refused) => (None, refused.nearest, Some(refused.why.into_owned())),
    };
    RuleRow {
        plugin: explained.plugin,
        tool: explained.tool,
        matches,
        nearest,
        why,
    }
}

/// Where requests go, with what is known of the credential.
pub(super) fn base(
    connection: &Connection,
    attributes: Option<&BTreeMap<String, String>>,
) -> Result<Url, String> {
    let Some(template) = &connection.filled.base else {
        return Ok(connection.base.clone());
    };
    let Some(attributes) = attributes else {
        return Err("the base is filled from a credential that is not known here".to_owned());
    };
    template
        .fill(|name| attributes.get(name).cloned())
        .map_err(|why| why.to_string())
}
