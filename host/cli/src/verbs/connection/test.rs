use std::sync::Arc;

use serde::Serialize;
use toolhost_admin::{ConnectionTestReport, TestConnection, UserName};

use crate::args::{ConnectionTestArgs, OutputFormat};
use crate::exit::{CliError, Exit};
use crate::output::{self, Show, head, printable};
use crate::setup::Setup;
use crate::wiring;

pub(super) fn run(args: &ConnectionTestArgs, format: OutputFormat) -> anyhow::Result<()> {
    let setup = Arc::new(Setup::gather(&args.wiring)?);
    let user = match (&args.user.user_issuer, &args.user.user_subject) {
        (Some(issuer), Some(subject)) => Some(UserName {
            issuer: issuer.clone(),
            subject: subject.clone(),
        }),
        _ => None,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let tested = runtime.block_on(async {
        let operation = TestConnection {
            connection: args.name.clone(),
            tenant: args.tenant.clone(),
            user: user.clone(),
        };
        if let Some(tested) = wiring::ask_running(&setup, operation, None).await? {
            return Ok::<_, anyhow::Error>(tested);
        }
        let diagnosis = wiring::open_diagnosis(&setup).await?;
        let tested = diagnosis
            .test(&args.name, &args.tenant, user.as_ref())
            .await;
        Ok(tested?)
    })?;
    let passed = tested.passed;
    let failed = tested.steps.iter().find(|step| !step.passed);
    let exit = match failed.is_some_and(|step| step.step == "credential") {
        true => Exit::Refused,
        false => Exit::Failed,
    };
    output::show(format, &ConnectionTestOutput(tested))?;
    if passed {
        return Ok(());
    }
    Err(CliError {
        exit,
        message: format!(
            "connection {} could not be used for tenant {}",
            args.name, args.tenant
        ),
    }
    .into())
}

#[derive(Serialize)]
#[serde(transparent)]
struct ConnectionTestOutput(ConnectionTestReport);

impl ConnectionTestOutput {
    fn rows(&self) -> Vec<Vec<String>> {
        let row = |step: &toolhost_admin::TestStep| {
            let verdict = if step.passed { "ok" } else { "FAILED" };
            vec![
                verdict.to_owned(),
                step.step.clone(),
                printable(&step.detail),
            ]
        };
        self.0.steps.iter().map(row).collect()
    }
}

impl Show for ConnectionTestOutput {
    fn text(&self) -> String {
        let line = |row: Vec<String>| row.join("  ");
        self.rows()
            .into_iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        (head(&["verdict", "step", "detail"]), self.rows())
    }
}
