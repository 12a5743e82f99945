//! The outside system of the billing example: a small HTTP API, as some company would run it. It
//! knows nothing of toolhost.
//!
//! It answers a request only with the bearer token of an account and that account's id in
//! `x-account-id`, and then with that account's invoices alone. What it received is written to a
//! record, with the token masked.
//!
//! - [`accounts`]: whose token it is. [`ledger`]: the invoices. [`routes`]: the API.
//!   [`toolhost_examples`]: what crossed the wire.

mod accounts;
mod ledger;
mod routes;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use toolhost_examples::Record;

use accounts::Account;

/// A billing API for two customers.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  billing-upstream --account acme=env:ACME_TOKEN --account globex=@globex.token"
)]
struct Flags {
    /// Where it listens; port 0 takes a free one, which is printed
    #[arg(long, default_value = "127.0.0.1:8099")]
    listen: SocketAddr,
    /// An account and the token that opens it: acme and globex have invoices, others have none
    #[arg(long = "account", value_name = "NAME=@FILE|env:VAR", required = true)]
    accounts: Vec<String>,
    /// Append what crosses the wire to this file, a JSON object a line, tokens masked
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let accounts = flags
        .accounts
        .iter()
        .map(|text| Account::parse(text))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let record = Record::open(flags.record.as_deref())?;
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
    axum::serve(listener, routes::router(Arc::new(accounts), record))
        .with_graceful_shutdown(stopped)
        .await?;
    Ok(())
}
