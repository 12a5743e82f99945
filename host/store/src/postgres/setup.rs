//! What is made at the first start. Hosts that start at once take turns by an advisory lock, and
//! each step is one transaction: it is there whole or not at all.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::Prefix;
use super::error::{PostgresError, PostgresFault};
use super::login::LoginRole;
use super::settings::Layout;

/// The version of the layout below. A host that finds a later one does not start.
const VERSION: i32 = 1;

/// The tables of a space. What is sealed does not compress, and is not tried to.
pub(super) const SPACE: &str = "
    CREATE TABLE space (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        revision bigint NOT NULL DEFAULT 0,
        recent bytea NOT NULL DEFAULT '',
        oldest integer NOT NULL DEFAULT 1
    ) WITH (fillfactor = 50);
    INSERT INTO space DEFAULT VALUES;
    CREATE TABLE record (
        key bytea PRIMARY KEY,
        version bigint NOT NULL,
        generation integer NOT NULL,
        value bytea NOT NULL
    );
    ALTER TABLE record ALTER COLUMN key SET STORAGE PLAIN, ALTER COLUMN value SET STORAGE EXTERNAL;";

const INSTALLATION: &str = "
    CREATE TABLE installation (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        version integer NOT NULL,
        layout text NOT NULL
    );";

const KEYS: &str = "
    CREATE TABLE ring (one boolean PRIMARY KEY DEFAULT true CHECK (one), revision bigint NOT NULL DEFAULT 0);
    INSERT INTO ring DEFAULT VALUES;
    CREATE TABLE key (space text PRIMARY KEY, revision bigint NOT NULL, wrapped bytea);
    CREATE INDEX ON key (revision);";

type SetupResult<T> = Result<T, PostgresError>;

/// Whether a host was set up here before. Nothing is made.
pub(super) async fn is_made(client: &Client, prefix: &Prefix) -> SetupResult<bool> {
    let name = prefix.space(&crate::Space::Host);
    is_table(client, &name, "installation").await
}

/// Makes the host's space, or looks whether this host can use the one that is there.
pub(super) async fn host(
    client: &Client,
    prefix: &Prefix,
    layout: Layout,
    has_key: bool,
) -> SetupResult<LoginRole> {
    let login = LoginRole::check(client, layout).await?;
    let name = prefix.space(&crate::Space::Host);
    let done = async {
        let quoted = begin(client, prefix, &name).await?;
        if is_table(client, &name, "installation").await? {
            let set_role = format!("SET LOCAL ROLE {quoted}");
            run(client, &set_role).await?;
            return check_installation(client, &quoted, layout).await;
        }
        if has_key {
            return Err(PostgresError::SetUp(format!(
                "there is a key of the host and the database has no store of prefix {prefix}: name the database that it \
                 belongs to, or restore it"
            )));
        }
        make(
            client,
            login,
            &name,
            &quoted,
            &format!("{SPACE}{INSTALLATION}"),
        )
        .await?;
        let insert = format!("INSERT INTO {quoted}.installation (version, layout) VALUES ($1, $2)");
        let parameters: [super::space_location::TypedParameter<'_>; 2] =
            [(&VERSION, Type::INT4), (&layout.word(), Type::TEXT)];
        client
            .query_typed(&insert, &parameters)
            .await
            .map_err(PostgresFault::from)
            .map_err(PostgresError::from_fault)?;
        Ok(())
    };
    end(client, done.await).await?;
    Ok(login)
}

/// Makes the schema of the keys.
pub(super) async fn keys(client: &Client, prefix: &Prefix) -> SetupResult<()> {
    let login = LoginRole::check(client, Layout::Schema).await?;
    let name = prefix.keys();
    let done = async {
        let quoted = begin(client, prefix, &name).await?;
        match is_table(client, &name, "ring").await? {
            true => Ok(()),
            false => make(client, login, &name, &quoted, KEYS).await,
        }
    };
    end(client, done.await).await
}

async fn run(client: &Client, statements: &str) -> SetupResult<()> {
    let done = client.batch_execute(statements).await;
    done.map_err(PostgresFault::from)
        .map_err(PostgresError::from_fault)
}

/// Begins, waits for its turn, and has a name quoted by the server.
async fn begin(client: &Client, prefix: &Prefix, name: &str) -> SetupResult<String> {
    run(client, "BEGIN").await?;
    let asked = client
        .query_typed(
            "SELECT pg_advisory_xact_lock($1)::text, format('%I', $2)",
            &[(&prefix.lock("set-up"), Type::INT8), (&name, Type::TEXT)],
        )
        .await;
    let rows = asked
        .map_err(PostgresFault::from)
        .map_err(PostgresError::from_fault)?;
    let quoted = rows.first().and_then(|row| row.try_get(1).ok());
    quoted.ok_or_else(|| PostgresError::Unreachable("the server does not quote a name".to_owned()))
}

async fn end(client: &Client, done: SetupResult<()>) -> SetupResult<()> {
    match done {
        Ok(()) => run(client, "COMMIT").await,
        Err(error) => {
            // The error is what is told; a connection that is lost has undone it anyway.
            let _ = run(client, "ROLLBACK").await;
            Err(error)
        }
    }
}

async fn is_table(client: &Client, schema: &str, table: &str) -> SetupResult<bool> {
    exists(
        client,
        "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1 AND relname = $2",
        &[(&schema, Type::TEXT), (&table, Type::TEXT)],
    )
    .await
}

async fn exists(
    client: &Client,
    ask: &str,
    parameters: &[super::space_location::TypedParameter<'_>],
) -> SetupResult<bool> {
    let rows = client.query_typed(ask, parameters).await;
    Ok(!rows
        .map_err(PostgresFault::from)
        .map_err(PostgresError::from_fault)?
        .is_empty())
}

async fn make(
    client: &Client,
    login: LoginRole,
    name: &str,
    quoted: &str,
    tables: &str,
) -> SetupResult<()> {
    let ask = "SELECT 1 FROM pg_roles WHERE rolname = $1";
    if exists(client, ask, &[(&name, Type::TEXT)]).await? {
        return Err(PostgresError::SetUp(format!(
            "the role {name} is there, and the database has no store that it belongs to: another installation on this \
             server has the prefix; use another one"
        )));
    }
    run(client, &login.grant(quoted)).await?;
    run(client, &schema(quoted, tables)).await
}

/// Makes a schema that belongs to the role of its name, with these tables; the role stays taken.
pub(super) fn schema(quoted: &str, tables: &str) -> String {
    format!(
        "CREATE SCHEMA {quoted} AUTHORIZATION {quoted}; SET LOCAL ROLE {quoted}; \
         SET LOCAL search_path TO {quoted}; {tables} SET LOCAL search_path TO pg_catalog;"
    )
}

async fn check_installation(client: &Client, quoted: &str, layout: Layout) -> SetupResult<()> {
    let ask = format!("SELECT version, layout FROM {quoted}.installation");
    let rows = client.query_typed(&ask, &[]).await;
    let rows = rows
        .map_err(PostgresFault::from)
        .map_err(PostgresError::from_fault)?;
    let found = rows.first().and_then(|row| {
        Some((
            row.try_get::<_, i32>(0).ok()?,
            row.try_get::<_, String>(1).ok()?,
        ))
    });
    match found {
        Some((version, _)) if version > VERSION => Err(PostgresError::Newer {
            found: u32::try_from(version).unwrap_or(u32::MAX),
            known: u32::try_from(VERSION).unwrap_or(0),
        }),
        Some((_, found)) if found != layout.word() => Err(PostgresError::SetUp(format!(
            "the store was set up with layout = \"{found}\" and keeps it; `host store migrate` moves it into one of another"
        ))),
        Some(_) => Ok(()),
        None => Err(PostgresError::SetUp(
            "the store's table of installation is empty".to_owned(),
        )),
    }
}
