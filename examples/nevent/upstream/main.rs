//! The outside system of the nevent example: the API of a company that sells tickets, as that
//! company would run it. It knows nothing of toolhost.
//!
//! It logs people in with tokens of its own, gives a person who may another token for another
//! tenant, and answers for analytics and for paid media with the figures of the tenant that the
//! bearer's token names. What it received is written to a record, with tokens and passwords masked.
//!
//! - [`people`]: who there is, which tenants there are, and who reaches which. [`tokens`]: signing
//!   and believing.
//! - [`figures`]: what the two systems know. [`routes`]: the API. [`toolhost_examples`]: what
//!   crossed the wire.

mod figures;
mod people;
mod routes;
mod tokens;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use toolhost_examples::{Record, secret};

use tokens::Signer;

/// An API for login, tenants, analytics and paid media.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  nevent-upstream --password env:NEVENT_PASSWORD")]
struct Flags {
    /// Where it listens; port 0 takes a free one, which is printed
    #[arg(long, default_value = "127.0.0.1:8098")]
    listen: SocketAddr,
    /// The password that all the example's people log in with
    #[arg(long, value_name = "@FILE|env:VAR")]
    password: String,
    /// Append what crosses the wire to this file, a JSON object a line, secrets masked
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let password = secret("--password", &flags.password)?;
    let record = Record::open(flags.record.as_deref())?;
    let signer = Signer::new()?;
    let listener = tokio::net::TcpListener::bind(flags.listen)
        .await
        .with_context(|| {
            format!(
                "{} cannot be listened on; name another with --listen",
                flags.listen
            )
        })?;
    writeln!(
        std::io::stdout(),
        "listening on http://{}",
        listener.local_addr()?
    )?;
    let stopped = async {
        // Without a handler the default action ends the process just as well.
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, routes::router(signer, password, record))
        .with_graceful_shutdown(stopped)
        .await?;
    Ok(())
}
