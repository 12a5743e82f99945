use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use toolhost_identity::TenantId;
use toolhost_policy::{ConnectionName, Secret};

use crate::file::SecretFile;
use crate::static_provider::read_variable;
use crate::{SecretSource, StaticCredential};

/// One secret that several tenants have for one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedCredential {
    /// For which connection.
    pub connection: ConnectionName,
    /// Whose.
    pub tenants: BTreeSet<TenantId>,
}

/// Who has which secret, by digests that are never shown and go with this.
#[derive(Default)]
pub(crate) struct SecretComparison(BTreeMap<(ConnectionName, [u8; 32]), BTreeSet<TenantId>>);

impl SecretComparison {
    pub(crate) fn add(&mut self, connection: ConnectionName, tenant: TenantId, secret: &Secret) {
        let digest = Sha256::digest(secret.expose()).into();
        self.0
            .entry((connection, digest))
            .or_default()
            .insert(tenant);
    }

    /// Those of several tenants.
    pub(crate) fn into_shared(self) -> Vec<SharedCredential> {
        let several = self.0.into_iter().filter(|(_, tenants)| tenants.len() > 1);
        let shared = several.map(|((connection, _), tenants)| SharedCredential {
            connection,
            tenants,
        });
        shared.collect()
    }
}

/// The declared secrets that tenants share. One that cannot be read now is not among them.
#[must_use]
pub fn shared_sources(declared: &[StaticCredential]) -> Vec<SharedCredential> {
    let mut compared = SecretComparison::default();
    for one in declared {
        let secret = match &one.source {
            SecretSource::File(path) => SecretFile::new(path.clone())
                .read()
                .map(|reading| reading.secret),
            SecretSource::Env(name) => read_variable(std::env::var_os(name)),
        };
        if let Ok(secret) = secret {
            compared.add(one.connection.clone(), one.tenant.clone(), &secret);
        }
    }
    compared.into_shared()
}
