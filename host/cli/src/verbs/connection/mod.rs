//! `host connection …`: one file a verb.

mod approve;
mod list;
mod login;
mod quarantine;
mod show;
mod test;

use crate::args::{ConnectionCommand, OutputFormat};

/// Carries out `host connection …`.
pub(super) fn run(command: &ConnectionCommand, format: OutputFormat) -> anyhow::Result<()> {
    match command {
        ConnectionCommand::List(args) => list::run(args.config.as_deref(), format),
        ConnectionCommand::Show(args) => show::run(args, format),
        ConnectionCommand::Test(args) => test::run(args, format),
        ConnectionCommand::Login(args) => login::run(args, format),
        ConnectionCommand::Approve(args) => approve::run(args, format),
        ConnectionCommand::Quarantines(args) => quarantine::list(args, format),
        ConnectionCommand::Lift(args) => quarantine::lift(args, format),
    }
}
