//! `cargo xtask demo`: two tenants call one plugin. Every claim that it prints is checked, and one that does not hold
//! ends it with a failure.

#![allow(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed: reading one gives null for what is not there"
)]

mod setup;
mod wire;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::stage::{CallReply, McpClient};
use crate::{guests, workspace};
use setup::{DemoSetup, TENANTS};

/// From the first start to the last stop. It takes about two seconds.
const WHOLE: Duration = Duration::from_secs(60);

/// Builds, starts, calls, shows, stops.
///
/// # Errors
/// Something does not build or start, or anything is not as it should be.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    guests::build(root)?;
    workspace::build_programs(root, &["host", "billing-upstream"])?;
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime
        .block_on(async { tokio::time::timeout(WHOLE, play(root)).await })
        .with_context(|| format!("the demo took longer than {} s", WHOLE.as_secs()))??;
    println!(
        "\nAll as it should be, in {:.1} s.",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn play(root: &Path) -> anyhow::Result<()> {
    let scene = DemoSetup::set_up(root).await?;
    println!(
        "\nThe billing system (a real HTTP server) is at {}.",
        scene.upstream_url
    );
    println!("The host serves the billing plugin at {}.", scene.host.url);
    println!("It holds one credential a tenant, in files; the plugin and the callers hold none.");

    let mut sessions = Vec::new();
    for tenant in TENANTS {
        let mut client = McpClient::new(&scene.host.url, scene.token(tenant)?);
        client.initialize().await?;
        let answer = client.call("list_invoices", json!({ "limit": 10 })).await?;
        ensure!(
            !answer.is_error(),
            "list_invoices as {tenant} failed: {}",
            answer.text()
        );
        show(tenant, &answer)?;
        scene.check_no_secret(&answer.raw.to_string())?;
        sessions.push((tenant, client));
    }

    println!("\nWhat crossed the wire to the billing system (secrets masked by it):");
    let requests = wire::read(&scene.record)?;
    ensure!(
        requests.len() == TENANTS.len(),
        "{} requests crossed the wire instead of {}",
        requests.len(),
        TENANTS.len()
    );
    for (request, tenant) in requests.iter().zip(TENANTS) {
        println!("  {}", request.line());
        ensure!(
            request.account == format!("acct_{tenant}"),
            "{tenant}'s call went out for account {}",
            request.account
        );
        let tail = scene.secret_tail(tenant)?;
        ensure!(
            request.authorization.ends_with(&tail),
            "{tenant}'s call went out with another credential"
        );
        ensure!(
            request.status == 200,
            "the billing system answered {}",
            request.status
        );
    }

    println!("\nWhat is refused:");
    refusals(&scene, &mut sessions).await?;
    let after = wire::read(&scene.record)?;
    // The invoice of the other tenant was asked for, with acme's own credential, and not found.
    ensure!(
        after.len() == requests.len() + 1,
        "a refused call crossed the wire"
    );
    ensure!(
        after
            .iter()
            .skip(requests.len())
            .all(|request| request.account == "acct_acme"),
        "a call changed its tenant"
    );

    scene.stop().await?;
    println!("\nThe host finished what was in flight and stopped with status 0.");
    Ok(())
}

/// The one difference between the two calls is the token, and so are the invoices.
fn show(tenant: &str, answer: &CallReply) -> anyhow::Result<()> {
    let invoices = answer
        .structured()
        .and_then(|structured| structured["invoices"].as_array());
    let invoices = invoices.context("the answer has no invoices")?;
    println!("\nlist_invoices with a token of {tenant}:");
    ensure!(!invoices.is_empty(), "{tenant} has no invoices");
    for invoice in invoices {
        let id = invoice["id"].as_str().unwrap_or_default();
        ensure!(
            id.starts_with(&format!("in_{tenant}_")),
            "{tenant} was shown invoice {id}"
        );
        let cents = invoice["amount_cents"].as_u64().unwrap_or_default();
        let (customer, currency) = (invoice["customer"].as_str(), invoice["currency"].as_str());
        println!(
            "  {id:<14} {:<22} {:>9}.{:02} {}",
            customer.unwrap_or_default(),
            cents / 100,
            cents % 100,
            currency.unwrap_or_default()
        );
    }
    Ok(())
}

async fn refusals(scene: &DemoSetup, sessions: &mut [(&str, McpClient)]) -> anyhow::Result<()> {
    let [(_, acme), (_, globex)] = sessions else {
        anyhow::bail!("two sessions are needed")
    };

    let answer = acme
        .call("list_invoices", json!({ "limit": 10, "tenant": "globex" }))
        .await?;
    let code = answer.code().unwrap_or_default();
    ensure!(
        answer.is_error() && code == "invalid_arguments",
        "naming another tenant was answered with {}",
        answer.raw
    );
    println!("  acme names the other tenant in an argument:     {code}");

    let answer = acme.call("get_invoice", json!({ "id": "in_globex_1" })).await?;
    ensure!(
        answer.is_error(),
        "acme was shown globex's invoice: {}",
        answer.raw
    );
    println!(
        "  acme asks for an invoice of globex by its id:   {}",
        answer.code().unwrap_or_default()
    );

    let stolen = globex
        .session()
        .context("the host gave no session id")?
        .to_owned();
    let mut thief = McpClient::new(&scene.host.url, scene.token("acme")?);
    thief.take_session(stolen);
    let status = thief.status_of("tools/list").await?;
    ensure!(status == 404, "acme used globex's session: status {status}");
    println!("  acme's token with globex's session id:          {status}, as if there were none");

    let status = McpClient::new(&scene.host.url, String::new())
        .status_of("tools/list")
        .await?;
    ensure!(
        status == 401,
        "a call without a token was answered with status {status}"
    );
    println!("  nobody's token:                                 {status}");
    Ok(())
}
