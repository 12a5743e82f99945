mod list;
mod login;
mod show;
mod test;

use crate::args::{ConnectionCommand, OutputFormat};

/// Looks at connections, tries them, and connects accounts to them.
pub(super) fn run(command: &ConnectionCommand, format: OutputFormat) -> anyhow::Result<()> {
    match command {
        ConnectionCommand::List(args) => list::run(args.config.as_deref(), format),
        ConnectionCommand::Show(args) => show::run(&args.name, args.config.as_deref(), format),
        ConnectionCommand::Test(args) => test::run(args, format),
        ConnectionCommand::Login(args) => login::run(args, format),
    }
}
