//! One file a verb. A new one is a variant of [`Command`] and a line here.

mod audit;
mod build;
mod call;
mod completions;
mod connection;
mod credential;
mod doctor;
mod explain;
mod inspect;
mod key;
mod lint;
mod plugin;
mod run;
mod store;
mod tenant;
mod token;

use std::process::ExitCode;

use crate::args::{Cli, Command};

/// The hidden verb that the host starts itself with, to compile a component in a process of its
/// own.
pub(crate) const COMPILE_WORKER: &str = "compile-worker";

/// Carries out a verb.
///
/// # Errors
/// With the class that becomes the exit status.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Run(args) => run::run(&args, cli.output),
        Command::Call(args) => call::run(&args, cli.output),
        Command::Inspect(args) => inspect::run(&args, cli.output),
        Command::Build(args) => build::run(&args, cli.output),
        Command::Token(command) => token::run(&command, cli.output),
        Command::Tenant(command) => tenant::run(&command, cli.output),
        Command::Plugin(command) => plugin::run(&command, cli.output),
        Command::Credential(command) => credential::run(&command, cli.output),
        Command::Connection(command) => connection::run(&command, cli.output),
        Command::Explain(args) => explain::run(&args, cli.output),
        Command::Lint(args) => lint::run(&args, cli.output),
        Command::Store(command) => store::run(&command, cli.output),
        Command::Key(command) => key::run(&command, cli.output),
        Command::Audit(command) => audit::run(&command, cli.output),
        Command::Doctor(args) => doctor::run(&args, cli.output),
        Command::Completions(args) => completions::run(&args),
    }
}

/// The compiling child: a component on stdin, an artefact on stdout.
pub(crate) fn compile_worker() -> ExitCode {
    toolhost_sandbox::compile_worker_main()
}
