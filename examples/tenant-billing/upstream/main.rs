//! The outside systems of the tenant-billing example, in one program: a billing API that describes
//! itself with OpenAPI, a help desk that is an MCP server, and the application's own endpoint that
//! keeps its tenants' credentials for both. None of them knows anything of toolhost.
//!
//! Each system answers a request only with the bearer token of one customer and that customer's id
//! in the system's own header, and then with that customer's things alone. What was received is
//! written to a record, tokens masked.
//!
//! - [`customers`]: who there is, and what opens what. [`credentials`]: the application's endpoint.
//! - [`billing`]: the billing API, described by `billing.openapi.json`. [`support`]: the help desk.

mod billing;
mod credentials;
mod customers;
mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::serve::ListenerExt as _;
use clap::Parser;
use toolhost_examples::{Record, secret, write_down};

use customers::{Customers, System};

/// Billing, support and the credentials for both, for two customers.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tenant-billing-upstream --secret env:BROKER_SECRET")]
struct Flags {
    /// Where it listens; port 0 takes a free one, which is printed
    #[arg(long, default_value = "127.0.0.1:8097")]
    listen: SocketAddr,
    /// What a host must show to be given credentials
    #[arg(long, value_name = "@FILE|env:VAR")]
    secret: String,
    /// Append what crosses the wire to this file, a JSON object a line, tokens masked
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let secret = secret("--secret", &flags.secret)?;
    let record = Record::open(flags.record.as_deref())?;
    let customers = Arc::new(Customers::new());
    let router = Router::new()
        .nest(
            "/billing",
            billing::router(customers.accounts(System::Billing)),
        )
        .nest(
            "/support",
            support::router(customers.accounts(System::Support)),
        )
        .merge(credentials::router(customers, secret))
        .layer(from_fn_with_state(record, write_down));
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
    // With Nagle's algorithm a short answer waits for the acknowledgement of the one before.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(stopped)
        .await?;
    Ok(())
}
