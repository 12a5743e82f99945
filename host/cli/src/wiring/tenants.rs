use std::collections::{BTreeMap, BTreeSet};

use toolhost_audit::{ChangeAction, Event, Sink as _, TenantChanged};
use toolhost_identity::{Operator, Tenant, TenantId, TenantKey, TenantSpace};
use toolhost_tenancy::ChangeError;

use super::data_directory::DataDirectory;
use crate::exit::CliError;

/// Tenants that a warning names.
const MAX_NAMED: usize = 20;

/// How often tenants are listed anew because another host on the same store has added some: more
/// hosts hardly start at once.
const MAX_TRIES: usize = 8;

impl DataDirectory {
    /// Adds the tenants of the configuration, and the development one, to the directory where they
    /// are missing, and makes spaces that are missing. What the directory says of a tenant is not
    /// changed.
    ///
    /// # Errors
    /// The configuration and the directory have other keys for a tenant; the configuration has one
    /// that was removed; a space cannot be made, or one that was made before is damaged or locked.
    pub(crate) async fn list_tenants(
        &self,
        listed: &BTreeMap<TenantId, Tenant>,
        development: Option<&TenantId>,
    ) -> anyhow::Result<()> {
        let by = Operator::of_this_process();
        let mut tries = 0;
        let missing = loop {
            let missing = self.missing_tenants(listed, development, &by)?;
            self.record_added(&missing, false).await?;
            match self.directory.add_listed(&missing, &by).await {
                Ok(()) => break missing,
                // Another host on the same store, which starts in this moment, was quicker.
                Err(ChangeError::Exists(_)) if tries < MAX_TRIES => {
                    tries += 1;
                    self.directory.refresh().await?;
                }
                Err(error) => return Err(change_error(error)),
            }
        };
        let known = self.store.tenants().await?;
        for id in listed.keys().chain(development) {
            if known.binary_search(id).is_err() {
                self.store
                    .create(&TenantSpace::of_operator(id.clone(), &by))
                    .await?;
            }
        }
        self.record_added(&missing, true).await
    }

    /// Those that the directory does not have.
    fn missing_tenants(
        &self,
        listed: &BTreeMap<TenantId, Tenant>,
        development: Option<&TenantId>,
        by: &Operator,
    ) -> Result<Vec<Tenant>, CliError> {
        let mut missing = Vec::new();
        for (id, tenant) in listed {
            match self.directory.show(id, by) {
                Some(known) => check_keys_match(&known, tenant)?,
                None => missing.push(tenant.clone()),
            }
        }
        if let Some(id) = development
            && !listed.contains_key(id)
            && self.directory.show(id, by).is_none()
        {
            missing.push(Tenant::root(id.clone()));
        }
        Ok(missing)
    }

    /// Taking a tenant out of the file removes nobody, and whoever thought so is told. A file that
    /// lists nobody leaves them all to the directory.
    pub(crate) fn warn_of_unlisted(
        &self,
        listed: &BTreeMap<TenantId, Tenant>,
        development: Option<&TenantId>,
    ) {
        let all = self.directory.list(&Operator::of_this_process());
        let unlisted = all
            .iter()
            .map(|tenant| &tenant.id)
            .filter(|id| !listed.contains_key(id) && Some(*id) != development);
        let unlisted: Vec<&str> = unlisted.map(TenantId::as_str).collect();
        if listed.is_empty() || unlisted.is_empty() {
            return;
        }
        let named = unlisted
            .iter()
            .take(MAX_NAMED)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        tracing::warn!(
            count = unlisted.len(),
            tenants = named,
            "tenants of the data directory that [tenants] does not list are served all the same: suspend or remove those that should not be"
        );
    }

    /// Keys from a time with one issuer mean nothing to several: whose they are is for the operator
    /// to say.
    pub(crate) fn warn_of_plain_keys(&self, issuers: usize) {
        if issuers < 2 {
            return;
        }
        for tenant in self.directory.list(&Operator::of_this_process()) {
            let is_plain = |key: &&String| TenantKey::parse(key).issuer.is_none();
            if let Some(key) = tenant.keys.iter().find(is_plain) {
                tracing::warn!(
                    tenant = %tenant.id,
                    key = key.as_str(),
                    "a key that does not say whose it is means nothing with more than one issuer: host tenant set NAME --key ISSUER#KEY"
                );
            }
        }
    }

    async fn record_added(&self, tenants: &[Tenant], done: bool) -> anyhow::Result<()> {
        for tenant in tenants {
            let event = TenantChanged {
                tenant: tenant.id.to_string(),
                action: ChangeAction::Add,
                parent: tenant.parent.as_ref().map(ToString::to_string),
                by: "configuration".to_owned(),
                done,
            };
            self.audit.record(&Event::TenantChanged(event)).await?;
        }
        Ok(())
    }
}

/// A key that stands in one place and not in the other could be another tenant's by now, so neither
/// is taken.
fn check_keys_match(tenant: &Tenant, listed: &Tenant) -> Result<(), CliError> {
    let set = |keys: &[String]| keys.iter().cloned().collect::<BTreeSet<_>>();
    let (file, directory) = (set(&listed.keys), set(&tenant.keys));
    // Where a tenant stands says who may act for it. A file that says nothing of it leaves that to
    // the directory.
    if let Some(parent) = &listed.parent
        && tenant.parent.as_ref() != Some(parent)
    {
        let id = &tenant.id;
        return Err(CliError::usage(format!(
            "[tenants.{id}] parent: the configuration has {parent} and the directory another; change the configuration, or the directory with host tenant move {id} --parent {parent}"
        )));
    }
    if file == directory {
        return Ok(());
    }
    let id = &tenant.id;
    Err(CliError::usage(format!(
        "[tenants.{id}] keys: the configuration has {file:?} and the directory has {directory:?}; change the configuration, or the directory with host tenant set {id} --key KEY or --no-keys"
    )))
}

fn change_error(error: ChangeError) -> anyhow::Error {
    match error {
        ChangeError::WasRemoved(id) => CliError::usage(format!(
            "[tenants.{id}]: tenant {id} was removed; take it out of the configuration, or add it again, empty, with host tenant add {id}"
        ))
        .into(),
        ChangeError::Tree(why) => CliError::usage(format!("[tenants]: {why}")).into(),
        other => other.into(),
    }
}
