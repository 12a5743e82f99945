use std::time::{Duration, Instant};

use serde::Serialize;
use toolhost_admin::{AdminClient, ClientError, CreateLoginLink, CredentialRow, ListCredentials};
use toolhost_gateway::connect::LoginLink;
use toolhost_vault::LOGIN_TIME;

use crate::admin_access::AdminAccess;
use crate::args::{ConnectionLoginArgs, OutputFormat};
use crate::exit::{CliError, Exit};
use crate::output::{self, Show, head};
use crate::secret_ref;

/// The link's time beside the login's.
const LINK_TIME: Duration = Duration::from_secs(300);

/// How often it is looked whether the account is there.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub(super) fn run(args: &ConnectionLoginArgs, format: OutputFormat) -> anyhow::Result<()> {
    let reach = AdminAccess::find(&args.kept)?;
    let token = secret_ref::token(&secret_ref::parse("--as", &args.token)?)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match AdminClient::connect(&reach.data.dir).await {
            Ok(_) => {}
            Err(ClientError::NobodyThere) => {
                let why =
                    "no host runs on the data directory, and the link leads to one: start it with host run";
                return Err(CliError::usage(why).into());
            }
            Err(error) => return Err(error.into()),
        }
        let connection = args.name.clone();
        let link = reach.ask(CreateLoginLink { connection }, Some(token)).await?;
        let before = if args.wait {
            version(&reach, &link).await?
        } else {
            None
        };
        let said = LoginLinkOutput(link);
        output::show(format, &said)?;
        if args.wait {
            return wait(&reach, &said.0, before).await;
        }
        Ok(())
    })
}

/// Until the user's credential is another one than before.
async fn wait(reach: &AdminAccess, link: &LoginLink, before: Option<u64>) -> anyhow::Result<()> {
    let end = Instant::now() + LINK_TIME + LOGIN_TIME;
    while Instant::now() < end {
        let now = version(reach, link).await?;
        if now.is_some() && now != before {
            return output::line(&format!(
                "the account of {} is connected to {} for tenant {}",
                link.subject, link.connection, link.tenant
            ));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(CliError {
        exit: Exit::Failed,
        message: "no account was connected in time".to_owned(),
    }
    .into())
}

/// Of the user's credential.
async fn version(reach: &AdminAccess, link: &LoginLink) -> anyhow::Result<Option<u64>> {
    let tenant = Some(link.tenant.clone());
    let list = reach.ask(ListCredentials { tenant }, None).await?;
    let is_it = |row: &&CredentialRow| {
        let user = row.user.as_ref();
        row.connection == link.connection
            && user.is_some_and(|user| user.issuer == link.issuer && user.subject == link.subject)
    };
    Ok(list.credentials.iter().find(is_it).map(|row| row.version))
}

#[derive(Serialize)]
#[serde(transparent)]
struct LoginLinkOutput(LoginLink);

impl Show for LoginLinkOutput {
    fn text(&self) -> String {
        format!(
            "Open this in your own browser within five minutes; it is good once:\n{}",
            self.0.url
        )
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let link = &self.0;
        let row = [
            &link.url,
            &link.connection,
            &link.tenant,
            &link.issuer,
            &link.subject,
        ];
        (
            head(&["url", "connection", "tenant", "issuer", "subject"]),
            vec![row.into_iter().cloned().collect()],
        )
    }
}
