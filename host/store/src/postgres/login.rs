use tokio_postgres::Client;

use super::error::{PostgresError, PostgresFault};
use super::settings::Layout;

/// The oldest server that is tested; `DROP DATABASE … WITH (FORCE)` is of 13.
const LEAST: u32 = 14;

/// From this version on a membership says itself whether its rights are inherited.
const INHERIT_OPTION: u32 = 16;

/// What the login role can do, and on which server.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoginRole {
    version: u32,
}

impl LoginRole {
    /// Looks whether the login role is one that tenants are kept apart from.
    pub(super) async fn check(client: &Client, layout: Layout) -> Result<Self, PostgresError> {
        let ask = "SELECT current_setting('server_version_num')::int4, rolname::text, rolsuper, rolinherit, rolcreaterole, \
                   rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user";
        let rows = client.query_typed(ask, &[]).await.map_err(fault_error)?;
        let row = rows.first().ok_or_else(|| {
            PostgresError::SetUp("the server does not know its own user".to_owned())
        })?;
        let get = |column: usize| row.try_get::<_, bool>(column).map_err(fault_error);
        let number: i32 = row.try_get(0).map_err(fault_error)?;
        let version = u32::try_from(number).unwrap_or(0) / 10_000;
        if version < LEAST {
            return Err(PostgresError::Version {
                found: version,
                least: LEAST,
            });
        }
        let role: String = row.try_get(1).map_err(fault_error)?;
        let wrong = |why: &str, mend: &str| {
            Err(PostgresError::Role {
                role: role.clone(),
                why: why.to_owned(),
                mend: format!("ALTER ROLE {role} {mend}"),
            })
        };
        if get(2)? || get(6)? {
            return wrong(
                "is a superuser, for whom no tenant is out of reach",
                "NOSUPERUSER NOBYPASSRLS",
            );
        }
        if get(3)? && version < INHERIT_OPTION {
            return wrong(
                "inherits the rights of all tenants' roles, where it must take one at a time",
                "NOINHERIT",
            );
        }
        if !get(4)? {
            return wrong("may not make roles, and each tenant has one", "CREATEROLE");
        }
        if layout == Layout::Database && !get(5)? {
            return wrong(
                "may not make databases, and each tenant has one",
                "CREATEDB",
            );
        }
        Ok(Self { version })
    }

    /// Lets the login role take a role, and inherit nothing of it.
    pub(super) fn grant(self, quoted: &str) -> String {
        let how = match self.version >= INHERIT_OPTION {
            true => " WITH INHERIT FALSE, SET TRUE",
            false => "",
        };
        format!("CREATE ROLE {quoted} NOLOGIN NOINHERIT; GRANT {quoted} TO CURRENT_USER{how}")
    }
}

fn fault_error(error: tokio_postgres::Error) -> PostgresError {
    PostgresError::from_fault(PostgresFault::from(error))
}
