//! How a verb reaches what lasts: through the host that runs on the data directory, or itself where
//! none does. Both carry out the same requests.

use std::path::PathBuf;

use tokio::sync::mpsc;
use toolhost_admin::{AdminClient, AdminOperation, AdminRequest, ClientError, OperationContext};
use toolhost_identity::TenantId;
use toolhost_policy::Secret;

use crate::args::DataDirArgs;
use crate::config::{Config, DataConfig};
use crate::exit::CliError;
use crate::grants::Lock;
use crate::output::printable;
use crate::screen;
use crate::secret_ref;
use crate::setup::{data_config, lock_of, read_config};
use crate::wiring::{DataDirectory, has_embedded, operator, refuse_orphans};

/// Lines of an export that wait for stdout.
const WAITING: usize = 16;

/// A data directory and the configuration beside it.
pub(crate) struct AdminAccess {
    pub(crate) config: Config,
    pub(crate) data: DataConfig,
    /// Which plugins there are, where no host runs.
    pub(crate) lock: PathBuf,
}

impl AdminAccess {
    /// Finds the data directory by flags and configuration.
    ///
    /// # Errors
    /// Nothing names one, or the configuration is wrong.
    pub(crate) fn find(args: &DataDirArgs) -> anyhow::Result<Self> {
        let config = read_config(args.config.as_deref())?;
        let data = data_config(&config, &args.data)?.ok_or_else(|| {
            CliError::usage(
                "nothing names a data directory: give --data-dir DIR, or [data] dir in host.toml",
            )
        })?;
        let lock = lock_of(&config, None);
        Ok(Self { config, data, lock })
    }

    /// The audit chains' directory.
    pub(crate) fn audit_root(&self) -> PathBuf {
        toolhost_admin::Admin::audit_root(&self.data.dir)
    }

    /// Asks the running host, or carries the request out here. Lines that come before the answer go
    /// to stdout.
    ///
    /// # Errors
    /// The request's own; nothing is there to work on; the directory belongs to a process that does
    /// not answer.
    pub(crate) async fn ask<O: AdminOperation + Into<AdminRequest>>(
        &self,
        operation: O,
        secret: Option<Secret>,
    ) -> anyhow::Result<O::Answer> {
        let mut to_stdout = screen::write_bytes;
        match AdminClient::connect(&self.data.dir).await {
            Ok(mut client) => {
                let answer = client.ask(operation, secret.as_ref(), &mut to_stdout).await;
                return answer.map_err(|error| match error {
                    ClientError::Refused(refused) => refused.into(),
                    other => anyhow::Error::from(other),
                });
            }
            Err(ClientError::NobodyThere) => {}
            Err(error) => return Err(error.into()),
        }
        if self.data.postgres.is_none() && !has_embedded(&self.data.dir) {
            self.may_make(&operation)?;
        }
        let kept = DataDirectory::open(&self.data, self.config.chains, &[]).await?;
        if operation.stores_credential() {
            kept.list_tenants(&self.config.tenants, None).await?;
        }
        if operation.names_plugins() {
            let granted = Lock::read(&self.lock)?.plugins();
            kept.assignments
                .serve(self.config.assignment_rules(), granted);
        }
        let (sender, mut lines) = mpsc::channel::<Vec<u8>>(WAITING);
        let context = OperationContext {
            secret,
            by: operator(),
            lines: sender,
        };
        let carried_out = operation.carry_out(&kept.admin, context);
        let written = async {
            while let Some(some) = lines.recv().await {
                to_stdout(&some)?;
            }
            Ok::<_, std::io::Error>(())
        };
        let (answer, written) = tokio::join!(carried_out, written);
        kept.audit.sync_all();
        written?;
        Ok(answer?)
    }

    /// Looking at nothing must not make a directory, keys and all, nor must what is refused.
    fn may_make(&self, operation: &impl AdminOperation) -> Result<(), CliError> {
        refuse_orphans(&self.data.dir)?;
        let Some(tenant) = operation.tenant_to_create() else {
            let path = self.data.dir.display();
            return Err(CliError::usage(format!(
                "{path} is not a data directory: nothing was kept there yet"
            )));
        };
        let id = TenantId::parse(tenant)
            .map_err(|why| CliError::usage(format!("{}: {why}", tenant.escape_debug())))?;
        if operation.stores_credential() && !self.config.tenants.contains_key(&id) {
            return Err(CliError::usage(format!(
                "there is no tenant {id}: add [tenants.{id}] to the configuration, or use host tenant add"
            )));
        }
        Ok(())
    }
}

/// A secret from a file, from stdin, or asked of a person.
///
/// # Errors
/// It cannot be read, or there is nobody to ask.
pub(crate) fn secret(file: Option<&std::path::Path>, what: &str) -> anyhow::Result<Secret> {
    use std::io::IsTerminal;
    match file {
        Some(path) if path.as_os_str() == "-" => Ok(secret_ref::stdin("--secret-file -")?),
        Some(path) => Ok(secret_ref::file("--secret-file", path)?),
        None if std::io::stdin().is_terminal() => {
            let text = rpassword::prompt_password(format!("Secret of {} (not shown): ", printable(what)))?;
            Ok(Secret::from(text))
        }
        None => Err(CliError::usage(
            "there is no terminal to ask for the secret: give --secret-file FILE, or --secret-file - for stdin",
        )
        .into()),
    }
}
