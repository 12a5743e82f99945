//! `host connection …`: one file a verb.

mod approve;

use crate::args::{ConnectionCommand, OutputFormat};

/// Carries out `host connection …`.
pub(super) fn run(command: &ConnectionCommand, format: OutputFormat) -> anyhow::Result<()> {
    match command {
        ConnectionCommand::Approve(args) => approve::run(args, format),
    }
}
