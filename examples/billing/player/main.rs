//! `cargo xtask demo`: two tenants call one plugin.

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "its output is for people; only JSON values are indexed, and reading one gives null for what is not there"
)]

mod setup;
mod wire;

use anyhow::{Context, ensure};
use serde_json::json;
use toolhost_examples::player::{self, PlayedExample, call};
use toolhost_harness::{CallReply, McpClient};

use setup::{DemoSetup, TENANTS};

fn main() -> anyhow::Result<()> {
    player::run(play)
}

async fn play() -> anyhow::Result<PlayedExample> {
    let scene = DemoSetup::set_up()?;
    println!(
        "\nThe billing system (a real HTTP server) is at {}.",
        scene.upstream.url()
    );
    println!(
        "The host serves the billing plugin at {}.",
        scene.host.at("/mcp")
    );
    println!(
        "The host holds one credential per tenant, read from files; the plugin and the callers have none."
    );

    let mut sessions = Vec::new();
    for tenant in TENANTS {
        let mut client = McpClient::new(&scene.host.at("/mcp"), &scene.token(tenant));
        client.initialize().await;
        let answer = call(&client, "list_invoices", json!({ "limit": 10 })).await?;
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
    let requests = wire::read(&scene.upstream.record)?;
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
    refusals(&scene, &sessions).await?;
    let after = wire::read(&scene.upstream.record)?;
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

    let DemoSetup {
        host,
        upstream,
        directory,
        ..
    } = scene;
    player::stop(host).await?;
    println!("\nThe host finished what was in flight and stopped with status 0.");
    Ok(PlayedExample {
        record: upstream.record.clone(),
        directory,
    })
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

async fn refusals(scene: &DemoSetup, sessions: &[(&str, McpClient)]) -> anyhow::Result<()> {
    let [(_, acme), (_, globex)] = sessions else {
        anyhow::bail!("two sessions are needed")
    };

    let answer = call(
        acme,
        "list_invoices",
        json!({ "limit": 10, "tenant": "globex" }),
    )
    .await?;
    let code = answer.code().unwrap_or_default();
    ensure!(
        answer.is_error() && code == "invalid_arguments",
        "naming another tenant was answered with {}",
        answer.raw
    );
    println!("  acme names the other tenant in an argument:     {code}");

    let answer = call(acme, "get_invoice", json!({ "id": "in_globex_1" })).await?;
    ensure!(
        answer.is_error(),
        "acme was shown globex's invoice: {}",
        answer.raw
    );
    println!(
        "  acme asks for an invoice of globex by its id:   {}",
        answer.code().unwrap_or_default()
    );

    let stolen = globex.session().context("the host gave no session id")?;
    let mut thief = McpClient::new(&scene.host.at("/mcp"), &scene.token("acme"));
    thief.take_session(stolen);
    let status = thief.status_of("tools/list").await;
    ensure!(status == 404, "acme used globex's session: status {status}");
    println!("  acme's token with globex's session id:          {status}, as if there were none");

    let status = McpClient::new(&scene.host.at("/mcp"), "")
        .status_of("tools/list")
        .await;
    ensure!(
        status == 401,
        "a call without a token was answered with status {status}"
    );
    println!("  no token at all:                                {status}");
    Ok(())
}
