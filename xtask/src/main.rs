//! `cargo xtask`: the project's own commands.
//!
//! - `demo`: one real call of each of two tenants, end to end, and what crossed the wire.
//! - `example`: a whole set-up of `examples/`, played and checked likewise.
//! - `test`: every suite and every check that CI runs; `.ci/run` calls it.
//! - `fuzz`, `documents`: hostile bytes, and published documents.
//! - `bench`, `guests`, `docs`: measure, build the components, build the book.

#![allow(
    clippy::print_stdout,
    reason = "these commands are for people, and their output is the result"
)]

mod bench;
mod clients;
mod docs;
mod documents;
mod example;
mod fuzz;
mod guests;
mod install;
mod steps;
mod test;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use example::Example;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Two tenants call one plugin: builds, starts, calls, shows, stops
    Demo,
    /// Play an example of examples/: builds, starts, calls, shows, stops, and checks each claim
    /// that it prints
    Example {
        /// Which one
        name: Example,
        /// Build nothing: the programs and the guests are there
        #[arg(long)]
        built: bool,
        /// Leave what crossed the wire in this file, a JSON object a line, secrets masked
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Everything that CI checks; installs what is missing
    Test {
        /// The slow tests too
        #[arg(long)]
        full: bool,
    },
    /// Measure wall time, as ratios within one run; with --gate count instructions, as CI does
    Bench {
        /// What is measured: calls, mcp, list, start, stdio, flood, tenants, egress, token, store,
        /// vault, audit [default: all]
        #[arg(conflicts_with = "gate")]
        sections: Vec<String>,
        /// Count instructions under valgrind and compare their ratios with the recorded ones
        #[arg(long)]
        gate: bool,
        /// Record the ratios instead
        #[arg(long, requires = "gate")]
        bless: bool,
    },
    /// Install the clients, the identity server and the conformance suite that the tests run
    Clients,
    /// Install the published OpenAPI documents that the adapter's tests read
    Documents,
    /// Try what reads hostile bytes with libFuzzer, each target for a while
    Fuzz {
        /// How long each
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Build every guest for wasm32-wasip2
    Guests,
    /// Build the API documentation, and the book where mdbook is installed
    Docs,
}

fn main() -> ExitCode {
    let root = workspace::root();
    let result = match Cli::parse().command {
        Command::Demo => example::run(&root, Example::Billing, false, None),
        Command::Example {
            name,
            built,
            record,
        } => example::run(&root, name, built, record.as_deref()),
        Command::Test { full } => test::run(&root, full),
        Command::Bench {
            gate: true, bless, ..
        } => {
            let verdict = if bless {
                bench::GateMode::Bless
            } else {
                bench::GateMode::Check
            };
            bench::gate(&root, verdict)
        }
        Command::Bench { sections, .. } => bench::run(&root, &sections),
        Command::Clients => clients::install(&root),
        Command::Documents => documents::install(&root).map(|_| ()),
        Command::Fuzz { seconds } => fuzz::run(&root, seconds),
        Command::Guests => guests::build(&root),
        Command::Docs => docs::run(&root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // Nobody is left to be told that stderr is gone.
            let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
