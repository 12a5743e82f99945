use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use toolhost_gateway::TenantSwitcher;
use toolhost_identity::TenantId;
use toolhost_store::{Notice, RecordChange, Table};
use toolhost_tenancy::{Provisioner, StoredDirectory};
use toolhost_tools::Assignments;
use toolhost_vault::SealedVault;

use super::HostStorage;

/// What this process keeps in memory of what other hosts change.
struct HostCaches {
    vault: SealedVault,
    directory: Arc<StoredDirectory>,
    provisioner: Arc<Provisioner>,
    assignments: Arc<Assignments>,
    switching: Arc<TenantSwitcher>,
}

/// Forgets what other hosts on the store change, until `shutdown`. Nothing where there can be no
/// other host. What is remembered is short-lived besides, so that nothing is believed for long
/// where a change is not heard of.
pub(crate) fn follow(
    storage: &HostStorage,
    switching: &Arc<TenantSwitcher>,
    shutdown: &CancellationToken,
) {
    let Some(kept) = &storage.kept else {
        return;
    };
    let Some(mut changes) = kept.store.changes() else {
        return;
    };
    let remembered = HostCaches {
        vault: kept.vault.clone(),
        directory: Arc::clone(&kept.directory),
        provisioner: Arc::clone(&kept.provisioner),
        assignments: Arc::clone(&kept.assignments),
        switching: Arc::clone(switching),
    };
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        while let Some(Some(notice)) = shutdown.run_until_cancelled(changes.next()).await {
            remembered.on_notice(notice).await;
        }
    });
}

impl HostCaches {
    async fn on_notice(&self, notice: Notice) {
        match notice {
            Notice::Changed(changed) => self.on_change(&changed).await,
            Notice::Lost => {
                tracing::warn!(
                    "what other hosts change is not heard; nothing that is remembered is believed"
                );
                self.forget_all();
            }
            Notice::Resumed => {
                self.forget_all();
                self.refresh().await;
            }
            // A kind that this host does not know may be any change.
            _ => self.forget_all(),
        }
    }

    async fn on_change(&self, changed: &RecordChange) {
        match changed.table {
            Table::Session => self.switching.forget_changed(changed),
            Table::Credential | Table::CredentialVersion => self.vault.forget_changed(changed),
            Table::Assignment => match &changed.tenant {
                Some(tenant) => self.assignments.forget(tenant),
                None => self.assignments.forget_all(),
            },
            Table::Tenant => {
                let name = changed
                    .key
                    .as_ref()
                    .map(|key| String::from_utf8_lossy(key.name()));
                if let Some(tenant) = name.and_then(|name| TenantId::parse(&name).ok()) {
                    // It may have been removed, and be another one when it is there again.
                    self.provisioner.forget(&tenant);
                    self.assignments.forget(&tenant);
                }
                self.refresh().await;
            }
            _ => {}
        }
    }

    fn forget_all(&self) {
        self.vault.forget_all();
        self.assignments.forget_all();
        self.switching.forget_all();
    }

    async fn refresh(&self) {
        if let Err(error) = self.directory.refresh().await {
            // It is confirmed once a second besides, and not believed where that fails for long.
            tracing::warn!(%error, "the directory of tenants could not be read again");
        }
    }
}
