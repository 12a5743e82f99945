//! `host`: runs third-party tools for AI agents as sandboxed WebAssembly components, for many
//! tenants in one process.
//!
//! This crate decides nothing about a call. It reads what the operator wrote, names what is
//! missing, asks once for what a plugin wants, and builds the host. What must never happen here: a
//! protocol byte's stream (stdout under `--stdio`) written by anything but the protocol; a secret
//! on a command line, in a log or in an error; a key or flag that is read and ignored.
//!
//! # Tour
//!
//! - [`args`]: the flags. [`verbs`]: one file a verb.
//! - [`config`]: `host.toml`, plain structs and apart from them the reading of TOML.
//! - [`setup`]: configuration and flags joined; [`requirements`]: what is still needed, each with
//!   the flag that gives it.
//! - [`plugins`]: which of the plugins can be served, and why not of the others.
//! - [`grants`]: what plugins ask for, `host.lock`, and the one question to a person.
//! - [`wiring`]: the crates, put together.
//! - [`admin_access`]: what lasts, through the host that runs or without one.
//! - [`open_files`]: how many of them.
//! - [`diagnosis`]: what would become of a request, and whether a connection could be used.
//! - [`exit`]: failures and their exit status; [`output`]: text, JSON, tables; [`screen`]: the one
//!   place where verbs write.

mod admin_access;
mod args;
mod config;
mod diagnosis;
mod digest_files;
mod exit;
mod grants;
mod logging;
mod open_files;
mod output;
mod plugins;
mod requirements;
mod screen;
mod secret_ref;
mod setup;
mod spinner;
mod verbs;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Before anything else: the compiling child has limits of its own and none of the host's
    // threads.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|verb| verb == verbs::COMPILE_WORKER)
    {
        // Executing a program makes it dumpable again.
        return match toolhost_vault::hygiene::harden() {
            Ok(()) => verbs::compile_worker(),
            Err(_) => ExitCode::FAILURE,
        };
    }
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        // What was asked for; it holds nothing of the arguments.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            // It repeats what was given, whatever that was.
            screen::write_stderr(error.render().to_string().trim_end());
            return ExitCode::from(exit::Exit::Usage as u8);
        }
    };
    if let Err(error) = logging::start(cli.log_format, cli.command.log_filter()) {
        return exit::report(&error.into(), cli.output);
    }
    if let Err(error) = toolhost_vault::hygiene::harden() {
        return exit::report(&error.into(), cli.output);
    }
    toolhost_store::allocator::tune_allocator();
    open_files::raise_open_file_limit();
    let output = cli.output;
    match verbs::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, output),
    }
}
