use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::output;

/// Writes a completion script to stdout.
pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "host", &mut script);
    output::line(String::from_utf8(script)?.trim_end())
}
