use toolhost_policy::Secret;
use toolhost_store::PostgresStore;
use toolhost_store::postgres::{PostgresError, PostgresSettings};
use toolhost_vault::Source;

use crate::config::Postgres;
use crate::exit::Failure;
use crate::secret_ref;

/// The server that the configuration names, with the password from where it is kept.
///
/// # Errors
/// The password, or the whole URL, cannot be read, or they are of no server that the host would use.
pub(super) fn settings(said: &Postgres) -> Result<PostgresSettings, Failure> {
    let read = |key: &str, source: &Source| secret_ref::text(key, source);
    let mut settings = PostgresSettings::new(said.url.whole(read)?);
    settings.keys_url = said
        .keys_url
        .as_ref()
        .map(|source| read("store.keys_url", source).map(std::sync::Arc::<Secret>::new))
        .transpose()?;
    settings.ca.clone_from(&said.ca);
    settings.plaintext_beyond_loopback = said.allow_plaintext;
    settings.prefix = said.prefix.clone();
    settings.layout = said.layout;
    if let Some(pool) = said.pool {
        settings.pool = pool;
    }
    PostgresStore::check_settings(&settings).map_err(usage)?;
    Ok(settings)
}

/// What stands in the way of a server is for the operator to mend.
pub(super) fn refusal(error: PostgresError) -> anyhow::Error {
    match error {
        PostgresError::Store(error) => error.into(),
        error => usage(error).into(),
    }
}

fn usage(error: PostgresError) -> Failure {
    Failure::usage(format!("[store]: {error}"))
}
