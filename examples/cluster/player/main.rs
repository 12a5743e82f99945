//! Two hosts on one PostgreSQL server, behind nginx: what `examples/cluster` shows.

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "its output is for people; only JSON values are indexed, and reading one gives null for what is not there"
)]

mod balancer;
mod caller;
mod server;
mod setup;

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use toolhost_examples::player::{self, PlayedExample, title, token_of_role};
use toolhost_harness::McpClient;

use caller::{ClusterCaller, ServedCall};
use setup::{ClusterSetup, TENANTS};

/// The other host knows a switch within 100 ms at the most.
const KNOWN: Duration = Duration::from_millis(300);

fn main() -> anyhow::Result<()> {
    player::run(play)
}

async fn play() -> anyhow::Result<PlayedExample> {
    let scene = ClusterSetup::set_up()?;
    println!(
        "\nThe billing system (a real HTTP server) is at {}.",
        scene.upstream.url()
    );
    println!("The PostgreSQL server is at {}.", scene.server.address);
    println!("Host one listens at {},", scene.one.address());
    println!("host two at {}.", scene.two.address());
    println!("nginx, which callers reach, is at {}.", scene.balancer.url);
    println!("ada is an owner of acme, and so of globex below it; gil an admin of globex.");
    let [acme, globex] = TENANTS;
    let token = token_of_role(&scene.issuer, acme, "owner");
    let mut ada = ClusterCaller::new(&scene, "ada", token.clone())?;
    let gil = ClusterCaller::new(&scene, "gil", token_of_role(&scene.issuer, globex, "admin"))?;

    title("Two tenants, each at both hosts");
    both_serve(&ada, acme).await?;
    both_serve(&gil, globex).await?;

    title("A session begins at one host and goes on at both");
    ada.begins_session().await?;
    both_serve(&ada, acme).await?;
    ada.switches(globex).await?;
    tokio::time::sleep(KNOWN).await;
    both_serve(&ada, globex).await?;

    title("An agent's session over MCP does too");
    let mut agent = McpClient::new(&format!("{}/mcp", scene.balancer.url), &token);
    agent.initialize().await;
    for _ in TENANTS {
        agent_lists_invoices(&agent, acme).await?;
    }

    title("Host one is killed (SIGKILL)");
    // Where the play fails, what is named last ends first.
    let ClusterSetup {
        directory,
        upstream,
        server,
        balancer,
        two,
        mut one,
        ..
    } = scene;
    one.kill();
    // The session is where it was, and moves.
    for _ in TENANTS {
        is_served(&ada.lists_invoices().await?, globex)?;
    }
    let served = ada.switches(acme).await?;
    ensure!(served.host == "two", "a killed host has served a switch");
    is_served(&ada.lists_invoices().await?, acme)?;
    is_served(&gil.lists_invoices().await?, globex)?;
    agent_lists_invoices(&agent, acme).await?;

    balancer.stop()?;
    player::stop(two).await?;
    println!("\nHost two finished what was in flight and stopped with status 0.");
    server.stop()?;
    Ok(PlayedExample {
        record: upstream.record.clone(),
        directory,
    })
}

/// Two calls in a row, of which each host serves one.
async fn both_serve(who: &ClusterCaller, tenant: &str) -> anyhow::Result<()> {
    let (first, second) = (who.lists_invoices().await?, who.lists_invoices().await?);
    ensure!(
        first.host != second.host,
        "host {} has served both calls",
        first.host
    );
    ensure!(
        first.tenant == tenant && second.tenant == tenant,
        "{first:?} and {second:?} are not both for {tenant}"
    );
    Ok(())
}

fn is_served(served: &ServedCall, tenant: &str) -> anyhow::Result<()> {
    ensure!(
        served.host == "two" && served.tenant == tenant,
        "{served:?} is not host two for {tenant}"
    );
    Ok(())
}

async fn agent_lists_invoices(agent: &McpClient, tenant: &str) -> anyhow::Result<()> {
    println!("\nada's agent> list_invoices {{\"limit\":2}}");
    let answer = player::call(agent, "list_invoices", json!({ "limit": 2 })).await?;
    ensure!(
        !answer.is_error(),
        "list_invoices failed: {}",
        answer.text()
    );
    let invoices = answer
        .structured()
        .and_then(|structured| structured["invoices"].as_array());
    let ids: Vec<&str> = invoices
        .context("the answer has no invoices")?
        .iter()
        .filter_map(|invoice| invoice["id"].as_str())
        .collect();
    ensure!(
        !ids.is_empty()
            && ids
                .iter()
                .all(|id| id.starts_with(&format!("in_{tenant}_"))),
        "{tenant} was shown {ids:?}"
    );
    println!("  {}", ids.join(", "));
    Ok(())
}
