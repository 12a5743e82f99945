use std::sync::Arc;

use serde::Serialize;
use toolhost_admin::{ExplainRequest, Explanation};

use crate::args::{ExplainArgs, OutputFormat};
use crate::exit::CliError;
use crate::output::{self, Show, head, printable};
use crate::setup::Setup;
use crate::{secret_ref, wiring};

/// Says what would become of a request.
pub(super) fn run(args: &ExplainArgs, format: OutputFormat) -> anyhow::Result<()> {
    let setup = Arc::new(Setup::gather(&args.wiring)?);
    let token = secret_ref::parse("--as", &args.token)?;
    let token = secret_ref::text("--as", &token).map_err(|error| CliError::auth(error.message))?;
    let asked = ExplainRequest {
        connection: args.connection.clone(),
        method: args.method.clone(),
        path: args.path.clone(),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let explained = runtime.block_on(async {
        if let Some(explained) = wiring::ask_running(&setup, asked.clone(), Some(&token)).await? {
            return Ok::<_, anyhow::Error>(explained);
        }
        let diagnosis = wiring::open_diagnosis(&setup).await?;
        Ok(diagnosis.explain(&asked, &token).await?)
    })?;
    let refused = explained.refused.clone();
    output::show(format, &ExplainOutput(explained))?;
    if refused.is_empty() {
        return Ok(());
    }
    Err(CliError::refusal(format!(
        "the request would be refused: {}",
        printable(&refused.join("; "))
    ))
    .into())
}

#[derive(Serialize)]
#[serde(transparent)]
struct ExplainOutput(Explanation);

impl ExplainOutput {
    fn rows(&self) -> Vec<(String, String)> {
        let said = &self.0;
        let mut rows = vec![
            (
                "caller".to_owned(),
                format!("{} {} of {}", said.kind, said.subject, said.issuer),
            ),
            ("tenant".to_owned(), said.tenant.clone()),
            ("connection".to_owned(), said.connection.clone()),
        ];
        for rule in &said.rules {
            let verdict = match (&rule.matches, &rule.nearest, &rule.why) {
                (Some(rule), ..) => format!("matches {rule}"),
                (None, Some(rule), why) => {
                    format!(
                        "nearest is {rule}: {}",
                        why.as_deref().unwrap_or("it is another")
                    )
                }
                (None, None, why) => why.clone().unwrap_or_default(),
            };
            let who = match &rule.tool {
                Some(tool) => format!("tool {tool}"),
                None => format!("plugin {}", rule.plugin),
            };
            rows.push((who, verdict));
        }
        let credential = &said.credential;
        let there = match credential.present {
            Some(true) => "there",
            Some(false) => "missing",
            None => "not asked for",
        };
        let mut text = format!("the {}'s, {}: {there}", credential.owner, credential.kind);
        for (name, value) in [
            ("fingerprint", credential.fingerprint.clone()),
            (
                "version",
                credential.version.map(|version| version.to_string()),
            ),
            (
                "expires at",
                credential.expires_at.map(|end| end.to_string()),
            ),
        ] {
            text.extend(value.map(|value| format!(", {name} {value}")));
        }
        text.extend(credential.note.as_ref().map(|note| format!(" ({note})")));
        rows.push(("credential".to_owned(), text));
        rows.extend(
            said.origin
                .clone()
                .map(|origin| ("goes to".to_owned(), origin)),
        );
        for row in &said.addresses {
            let verdict = if row.allowed { "allowed" } else { "refused" };
            rows.push((
                "address".to_owned(),
                format!("{} {} {verdict}", row.address, row.class),
            ));
        }
        let verdict = if said.allowed {
            "it would be sent"
        } else {
            "it would be refused"
        };
        rows.push(("verdict".to_owned(), verdict.to_owned()));
        rows
    }
}

impl Show for ExplainOutput {
    fn text(&self) -> String {
        let line = |(name, value): (String, String)| format!("{name:<16} {}", printable(&value));
        self.rows()
            .into_iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let rows = self
            .rows()
            .into_iter()
            .map(|(name, value)| vec![name, printable(&value)]);
        (head(&["what", "said"]), rows.collect())
    }
}
