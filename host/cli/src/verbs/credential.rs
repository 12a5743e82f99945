use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toolhost_admin::{
    AcceptCredentials, CredentialAnswer, CredentialRow, ListCredentials, RemoveCredential,
    RotateCredential, SetCredential, UserName,
};

use crate::admin_access::{self, AdminAccess};
use crate::args::{CredentialCommand, OutputFormat, SetArgs, UserArgs};
use crate::config::{Config, nearest};
use crate::exit::CliError;
use crate::output::{self, Show, head};
use crate::secret_ref;

/// Carries out `host credential …`.
pub(super) fn run(command: &CredentialCommand, format: OutputFormat) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match command {
            CredentialCommand::Set(args) => put(args, false, format).await,
            CredentialCommand::Rotate(args) => put(args, true, format).await,
            CredentialCommand::List(args) => {
                let tenant = args.tenant.clone();
                let access = AdminAccess::find(&args.kept)?;
                let list = access.ask(ListCredentials { tenant }, None).await?;
                output::show(format, &CredentialListOutput(list))
            }
            CredentialCommand::Remove(args) => {
                let (tenant, connection) = name(&args.name)?;
                let operation = RemoveCredential {
                    tenant,
                    connection,
                    user: user(&args.user),
                };
                match AdminAccess::find(&args.kept)?.ask(operation, None).await? {
                    true => output::show(
                        format,
                        &CredentialRemoveOutput {
                            removed: &args.name,
                        },
                    ),
                    false => {
                        Err(CliError::usage(format!("there is no credential {}", args.name)).into())
                    }
                }
            }
            CredentialCommand::Accept(args) => {
                let tenant = args.tenant.clone();
                let access = AdminAccess::find(&args.kept)?;
                access.ask(AcceptCredentials { tenant }, None).await?;
                let accepted = &args.tenant;
                output::show(format, &CredentialAcceptOutput { accepted })
            }
        }
    })
}

async fn put(args: &SetArgs, rotate: bool, format: OutputFormat) -> anyhow::Result<()> {
    if args.secret.is_some() {
        return Err(CliError::usage(
            "a secret is never an argument, since every process can read it, and a shell keeps it: this one is not secret any more; give --secret-file FILE or -",
        )
        .into());
    }
    let (tenant, connection) = name(&args.name)?;
    let user = user(&args.user);
    let attributes = attributes(&args.attributes)?;
    let expires_at = args.expires_at.as_deref().map(expiry).transpose()?;
    let reach = AdminAccess::find(&args.kept)?;
    known_connection(&reach.config, &connection)?;
    let secret = match args.parts.is_empty() {
        true => admin_access::secret(args.secret_file.as_deref(), &args.name)?,
        false => secret_ref::parts("--part", &args.parts)?,
    };
    let row = if rotate {
        let operation = RotateCredential {
            tenant,
            connection,
            user,
            attributes,
            expires_at,
        };
        reach.ask(operation, Some(secret)).await?
    } else {
        let operation = SetCredential {
            tenant,
            connection,
            user,
            attributes,
            expires_at,
        };
        reach.ask(operation, Some(secret)).await?
    };
    output::show(format, &CredentialOutput(row))
}

fn name(text: &str) -> Result<(String, String), CliError> {
    text.split_once('/')
        .map(|(tenant, connection)| (tenant.to_owned(), connection.to_owned()))
        .ok_or_else(|| {
            CliError::usage("a credential's name is TENANT/CONNECTION, such as acme/billing")
        })
}

/// Before a secret is asked for: one that is kept for a connection that is not there is never used,
/// and nobody is told.
fn known_connection(config: &Config, name: &str) -> Result<(), CliError> {
    if config
        .connections
        .keys()
        .any(|known| known.as_str() == name)
    {
        return Ok(());
    }
    let from = config.path.as_ref().map(|path| path.display());
    if config.connections.is_empty() {
        let place = from.map_or_else(
            || "no configuration is read (--config)".to_owned(),
            |path| format!("{path} has none"),
        );
        tracing::warn!(
            connection = name,
            "nothing says which connections there are: {place}"
        );
        return Ok(());
    }
    let known: Vec<&str> = config
        .connections
        .keys()
        .map(|known| known.as_str())
        .collect();
    let near = nearest(name, &known);
    let hint = near.map_or_else(
        || format!("; there are: {}", known.join(", ")),
        |near| format!(", did you mean {near}?"),
    );
    Err(CliError::usage(format!(
        "there is no connection {name}: [connections.{name}] in host.toml{hint}"
    )))
}

fn user(args: &UserArgs) -> Option<UserName> {
    Some(UserName {
        issuer: args.user_issuer.clone()?,
        subject: args.user_subject.clone()?,
    })
}

fn attributes(given: &[String]) -> Result<Option<BTreeMap<String, String>>, CliError> {
    let mut attributes = BTreeMap::new();
    for text in given {
        // Not repeated: a secret that was put here by mistake must not reach a log.
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| CliError::usage("--attribute takes NAME=VALUE"))?;
        if attributes
            .insert(name.to_owned(), value.to_owned())
            .is_some()
        {
            return Err(CliError::usage(format!(
                "--attribute {name}=…: it is given twice"
            )));
        }
    }
    Ok((!attributes.is_empty()).then_some(attributes))
}

fn expiry(text: &str) -> Result<u64, CliError> {
    let refuse = || {
        CliError::usage(format!(
            "--expires-at {text:?} is not a time such as 2027-01-31T00:00:00Z"
        ))
    };
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refuse())?;
    u64::try_from(time.unix_timestamp()).map_err(|_| refuse())
}

/// Unix seconds, for people.
fn moment(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}

fn whole_name(row: &CredentialRow) -> String {
    let user = row
        .user
        .as_ref()
        .map(|user| format!(" of {} at {}", user.subject, user.issuer));
    format!(
        "{}/{}{}",
        row.tenant,
        row.connection,
        user.unwrap_or_default()
    )
}

#[derive(Serialize)]
#[serde(transparent)]
struct CredentialOutput(CredentialRow);

impl Show for CredentialOutput {
    fn text(&self) -> String {
        format!(
            "credential {} is kept: version {}, fingerprint {}",
            whole_name(&self.0),
            self.0.version,
            self.0.fingerprint
        )
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        (columns(), vec![cells(&self.0)])
    }
}

fn columns() -> Vec<String> {
    head(&[
        "credential",
        "version",
        "fingerprint",
        "set",
        "expires",
        "last used",
    ])
}

fn cells(row: &CredentialRow) -> Vec<String> {
    let maybe = |time: Option<u64>, none: &str| time.map_or_else(|| none.to_owned(), moment);
    vec![
        whole_name(row),
        row.version.to_string(),
        row.fingerprint.clone(),
        moment(row.rotated_at),
        maybe(row.expires_at, "-"),
        maybe(row.last_used, "never"),
    ]
}

#[derive(Serialize)]
#[serde(transparent)]
struct CredentialListOutput(CredentialAnswer);

impl Show for CredentialListOutput {
    fn text(&self) -> String {
        let usable = self.0.credentials.iter().map(|row| {
            let expires = row.expires_at.map(|at| format!(", expires {}", moment(at)));
            let used = row.last_used.map_or_else(|| "never".to_owned(), moment);
            format!(
                "{}: version {}, fingerprint {}, set {}{}, last used {used}",
                whole_name(row),
                row.version,
                row.fingerprint,
                moment(row.rotated_at),
                expires.unwrap_or_default(),
            )
        });
        let others = self
            .0
            .unusable
            .iter()
            .map(|row| format!("{}/{}: unusable: {}", row.tenant, row.name, row.why));
        let lines: Vec<String> = usable.chain(others).collect();
        if lines.is_empty() {
            "no credentials are kept".to_owned()
        } else {
            lines.join("\n")
        }
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let unusable = self.0.unusable.iter().map(|row| {
            let mut cells = vec![
                format!("{}/{}", row.tenant, row.name),
                format!("unusable: {}", row.why),
            ];
            cells.resize(columns().len(), String::new());
            cells
        });
        (
            columns(),
            self.0
                .credentials
                .iter()
                .map(cells)
                .chain(unusable)
                .collect(),
        )
    }
}

#[derive(Serialize)]
struct CredentialRemoveOutput<'a> {
    removed: &'a str,
}

impl Show for CredentialRemoveOutput<'_> {
    fn text(&self) -> String {
        format!("credential {} is removed", self.removed)
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        (head(&["removed"]), vec![vec![self.removed.to_owned()]])
    }
}

#[derive(Serialize)]
struct CredentialAcceptOutput<'a> {
    accepted: &'a str,
}

impl Show for CredentialAcceptOutput<'_> {
    fn text(&self) -> String {
        format!(
            "the credentials of tenant {} are taken as they are",
            self.accepted
        )
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        (head(&["accepted"]), vec![vec![self.accepted.to_owned()]])
    }
}

#[cfg(test)]
mod tests {
    use super::{attributes, expiry, moment, name};

    #[test]
    fn what_is_given_is_read_strictly() {
        assert!(name("acme").is_err() && name("acme/billing").is_ok());
        assert!(attributes(&["a=1".into(), "a=2".into()]).is_err());
        assert!(
            attributes(&["tok_live_1".into()])
                .is_err_and(|error| !error.message.contains("tok_live"))
        );
        assert_eq!(attributes(&[]).unwrap(), None);
        assert!(expiry("tomorrow").is_err());
        assert_eq!(
            moment(expiry("2027-01-31T00:00:00Z").unwrap()),
            "2027-01-31T00:00:00Z"
        );
    }
}
