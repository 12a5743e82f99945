use toolhost_policy::Secret;
use toolhost_store::PostgresStore;
use toolhost_store::postgres::{PostgresError, PostgresSettings};
use toolhost_vault::SecretSource;

use crate::config::Postgres;
use crate::exit::CliError;
use crate::secret_ref;

/// The server that the configuration names, with the password from where it is kept.
///
/// # Errors
/// The password, or the whole URL, cannot be read, or they are of no server that the host would
/// use.
pub(super) fn settings(said: &Postgres) -> Result<PostgresSettings, CliError> {
    let read = |key: &str, source: &SecretSource| secret_ref::text(key, source);
    let mut settings = PostgresSettings::new(said.url.resolve(read)?);
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
pub(super) fn start_error(error: PostgresError) -> anyhow::Error {
    match error {
        PostgresError::Store(error) => error.into(),
        error => usage(error).into(),
    }
}

fn usage(error: PostgresError) -> CliError {
    CliError::usage(format!("[store]: {error}"))
}
