//! Which store a data directory belongs to: its own, or a server's.

use std::path::Path;

use toolhost_admin::Admin;
use toolhost_store::PostgresStore;
use toolhost_store::postgres::PostgresSettings;

use super::postgres;
use crate::config::Postgres;
use crate::exit::CliError;

/// The database of the host's own space, which the embedded store makes first.
const EMBEDDED: &str = "host";

/// Refuses a data directory whose store is elsewhere, before anything is made: in the other kind of
/// store, which has not been moved yet, or gone.
pub(super) async fn refuse_other_store(
    dir: &Path,
    server: Option<&PostgresSettings>,
) -> anyhow::Result<()> {
    let Some(settings) = server else {
        return Ok(refuse_orphans(dir)?);
    };
    let (has_chains, path) = (has_any(&Admin::audit_root(dir)), dir.display());
    if !(has_chains || has_embedded(dir))
        || PostgresStore::is_made(settings)
            .await
            .map_err(postgres::start_error)?
    {
        return Ok(());
    }
    let text = if has_embedded(dir) {
        format!(
            "{path} has an embedded store, and the server of [store] has none yet: host store migrate --from embedded --to postgres moves it there; to begin with an empty store instead, name another [data] dir"
        )
    } else {
        format!(
            "{path} has audit chains of another store, and the server of [store] has none: name the database that they belong to in [store] url and prefix; to begin with an empty store, name another [data] dir"
        )
    };
    Err(CliError::usage(text).into())
}

/// Refuses a data directory that has audit chains and no store of its own.
///
/// # Errors
/// It has.
pub(crate) fn refuse_orphans(dir: &Path) -> Result<(), CliError> {
    if !has_any(&Admin::audit_root(dir)) || has_embedded(dir) {
        return Ok(());
    }
    let path = dir.display();
    Err(CliError::usage(format!(
        "{path} has audit chains and no embedded store: where the store is in PostgreSQL, name it in [store], or move it with host store migrate --from postgres --to embedded --data-dir DIR; where it is lost, bring it back with host store restore; to begin anew, move {path}/audit away"
    )))
}

fn has_any(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// Whether an embedded store was made in a data directory.
pub(crate) fn has_embedded(dir: &Path) -> bool {
    dir.join(EMBEDDED).exists()
}

/// Whether the server that the configuration names has a store.
///
/// # Errors
/// It cannot be used.
pub(crate) async fn has_server(said: &Postgres) -> anyhow::Result<bool> {
    PostgresStore::is_made(&postgres::settings(said)?)
        .await
        .map_err(postgres::start_error)
}
