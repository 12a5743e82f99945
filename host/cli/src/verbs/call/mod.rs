mod path;
mod questions;
mod tool_call_output;

use std::io::Read;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use toolhost_admin::{CallAnswer, CallEnd, CallLine, CallQuestion, CallResume};

use self::path::{InProcessHost, RunningHost};
use self::tool_call_output::ToolCallOutput;
use crate::args::{CallArgs, OutputFormat};
use crate::exit::{CliError, Exit};
use crate::output::{self, printable};
use crate::plugins;
use crate::requirements::{self, CallerSource};
use crate::screen;
use crate::setup::Setup;
use crate::wiring::{self, read_capped};

/// Answers are arguments that come later.
const MAX_ANSWERS: u64 = 1 << 20;

/// Calls one tool on the same path as every transport: through the host that runs on the data
/// directory, or in this process.
pub(super) fn run(args: &CallArgs, format: OutputFormat) -> anyhow::Result<()> {
    let setup = Arc::new(Setup::gather(&args.wiring)?);
    if args.token.is_some() && setup.dev_tenant.is_some() {
        return Err(CliError::usage(
            "--token and --dev-tenant (or DEV_TENANT_NAME) say two different callers; keep one",
        )
        .into());
    }
    let arguments = object("--args", &args.args, setup.config.limits.arguments_bytes)?;
    let answers = args.answers.as_deref();
    let answers = answers
        .map(|text| object("--answers", text, MAX_ANSWERS))
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (content, structured) = runtime.block_on(async {
        let mut resume = None;
        let mut local = None;
        for _ in 0..questions::MAX_ROUNDS {
            let end = match RunningHost::find(&setup).await? {
                Some(running) if local.is_none() => {
                    running.call(args, &setup, &arguments, resume).await?
                }
                _ => {
                    if local.is_none() {
                        local = Some(prepare(args, &setup).await?);
                    }
                    let Some(local) = &local else { break };
                    local.call(&args.tool, &arguments, resume).await?
                }
            };
            match end {
                CallEnd::Complete {
                    content,
                    structured,
                } => return Ok((content, structured)),
                CallEnd::InputRequired { questions, state } => {
                    let answers = answered(questions, answers.clone()).await?;
                    resume = Some(CallResume { answers, state });
                }
            }
        }
        Err(anyhow::Error::from(CliError {
            exit: Exit::Failed,
            message: format!(
                "the tool asked {} times and did not come to an end",
                questions::MAX_ROUNDS
            ),
        }))
    })?;
    output::show(format, &ToolCallOutput::new(content, structured))
}

async fn prepare(args: &CallArgs, setup: &Arc<Setup>) -> anyhow::Result<InProcessHost> {
    let candidates = plugins::candidates(setup);
    let source = CallerSource::One {
        token: args.token.is_some(),
    };
    let manifests: Vec<_> = candidates
        .iter()
        .filter_map(|one| one.manifest.as_ref())
        .collect();
    requirements::check(setup, &manifests, source)?;
    plugins::refuse_nothing(&candidates)?;
    InProcessHost::new(args, setup, candidates).await
}

/// The answers to what a tool asks, or what ended the wait for them. A person is asked on a thread
/// of its own, which nothing waits for when a signal ends the verb.
async fn answered(
    questions: Vec<CallQuestion>,
    given: Option<Map<String, Value>>,
) -> anyhow::Result<Vec<CallAnswer>> {
    let (sender, answers) = oneshot::channel();
    std::thread::spawn(move || sender.send(questions::answers(&questions, given.as_ref())));
    tokio::select! {
        answers = answers => answers.context("the thread that asks has ended")?,
        stopped = wiring::stop_signal() => {
            stopped?;
            Err(CliError {
                exit: Exit::Failed,
                message: "stopped before the tool's question was answered".to_owned(),
            }
            .into())
        }
    }
}

/// A report of a call on its way, for people.
fn show_line(line: &[u8]) {
    let progress = match serde_json::from_slice(line) {
        Ok(CallLine::Progress(progress)) => progress,
        Ok(CallLine::Log { level, text }) => {
            return screen::write_stderr(&format!(
                "guest {} {}",
                printable(&level),
                printable(&text)
            ));
        }
        Err(_) => return,
    };
    let total = progress
        .total
        .map_or_else(String::new, |total| format!("/{total}"));
    let message = progress
        .message
        .map_or_else(String::new, |text| format!(" {}", printable(&text)));
    screen::write_stderr(&format!("progress {}{total}{message}", progress.done));
}

/// A JSON object: as it stands, from a file, or from stdin.
fn object(flag: &str, text: &str, most: u64) -> Result<Map<String, Value>, CliError> {
    let json = match (text, text.strip_prefix('@')) {
        ("-", _) => {
            let mut json = Vec::new();
            let read = std::io::stdin()
                .lock()
                .take(most.saturating_add(1))
                .read_to_end(&mut json);
            read.map_err(|error| CliError::usage(format!("{flag} -: {error}")))?;
            json
        }
        (_, Some(path)) => read_capped(std::path::Path::new(path), most)?,
        _ => text.as_bytes().to_vec(),
    };
    serde_json::from_slice(&json)
        .map_err(|error| CliError::usage(format!("{flag}: it is not a JSON object: {error}")))
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn arguments_are_an_object_and_nothing_else() {
        assert_eq!(object("--args", "{\"a\":1}", 100).unwrap().len(), 1);
        for bad in ["", "[]", "1", "{", "null", "@/nonexistent"] {
            assert!(object("--args", bad, 100).is_err(), "{bad}");
        }
    }
}
