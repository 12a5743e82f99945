//! One login and several tenants: the conversation of `examples/nevent`.

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "its output is for people; only JSON values are indexed, and reading one gives null for what is not there"
)]

mod setup;
mod show;
mod speaker;
mod wire;

use anyhow::ensure;
use serde_json::{Value, json};
use toolhost_examples::player::{self, PlayedExample, title};

use setup::NeventSetup;
use speaker::Speaker;

const GROUP: &str = "riviera";
const BARCELONA: &str = "riviera-barcelona";
const LISBON: &str = "riviera-lisbon";

fn main() -> anyhow::Result<()> {
    player::run(play)
}

async fn play() -> anyhow::Result<PlayedExample> {
    let scene = NeventSetup::set_up()?;
    println!(
        "\nThe company's API (a real HTTP server) is at {}.",
        scene.upstream.url()
    );
    println!(
        "The host serves the plugins nevent and segments at {}.",
        scene.host.at("/mcp")
    );
    println!(
        "ada is an OWNER of riviera, ben an ADMIN of riviera-barcelona, sol a SUPERADMIN of no tenant."
    );
    println!(
        "Each has logged in at the company, and brings the token of that login with every call."
    );
    let url = &scene.host.at("/mcp");
    let token = scene.login("ada").await?;
    let mut ada = Speaker::enters("ada", url, &token, Some(GROUP)).await?;
    let mut other = Speaker::enters("ada, another session", url, &token, Some(GROUP)).await?;
    let mut ben = Speaker::enters("ben", url, &scene.login("ben").await?, Some(BARCELONA)).await?;
    let mut sol = Speaker::enters("sol", url, &scene.login("sol").await?, None).await?;

    title("Help");
    for topic in ["workflows", "errors", "tenancy"] {
        ada.gets("help", json!({ "topic": topic })).await?;
    }
    title("Who reaches what");
    reach(&mut ada, 4).await?;
    reach(&mut ben, 1).await?;
    reach(&mut sol, 5).await?;

    title("At home");
    ada.gets(
        "create_segment",
        segment("Season tickets", "pass", "season"),
    )
    .await?;
    figures(&mut ada).await?;

    title("At a tenant below");
    ada.goes("switch_tenant", to(BARCELONA), BARCELONA).await?;
    segments(&mut ada).await?;
    figures(&mut ada).await?;

    title("Another session of the same login stays where it is, and goes where it wants");
    other.gets("list_tenants", json!({})).await?;
    other.goes("switch_tenant", to(LISBON), LISBON).await?;
    ensure!(
        names(&other.gets("list_segments", json!({})).await?).is_empty(),
        "a tenant sees another's segments"
    );
    figures(&mut other).await?;
    figures(&mut ada).await?;

    title("A switch that the company refuses changes nothing");
    for refused in ["riviera-porto", "harbour"] {
        ada.is_refused("switch_tenant", to(refused), "tenant_unavailable")
            .await?;
    }
    figures(&mut ada).await?;

    title("Back");
    ada.goes("reset_tenant", json!({}), GROUP).await?;
    ensure!(
        names(&ada.gets("list_segments", json!({})).await?) == ["Season tickets"],
        "home has other segments than before"
    );
    figures(&mut ada).await?;

    title("A login without a tenant has nowhere to go back to");
    sol.is_refused("traffic_report", json!({}), "tenant_required")
        .await?;
    sol.is_refused("reset_tenant", json!({}), "home_tenant_unavailable")
        .await?;

    title("What crossed the wire to the company (secrets masked by it)");
    wire::show(&wire::read(&scene.upstream.record)?)?;
    player::stop(scene.host).await?;
    println!("\nThe host finished what was in flight and stopped with status 0.");
    Ok(PlayedExample {
        record: scene.upstream.record.clone(),
        directory: scene.directory,
    })
}

fn to(tenant: &str) -> Value {
    json!({ "tenantId": tenant })
}

fn segment(name: &str, field: &str, value: &str) -> Value {
    json!({ "name": name, "rules": [{ "field": field, "operator": "equals", "value": value }] })
}

fn names(listed: &Value) -> Vec<&str> {
    let rows = listed["segments"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter().filter_map(|row| row["name"].as_str()).collect()
}

async fn reach(who: &mut Speaker, count: usize) -> anyhow::Result<()> {
    let listed = who.gets("list_tenants", json!({})).await?;
    let tenants = listed["tenants"].as_array().map_or(0, Vec::len);
    ensure!(
        tenants == count,
        "{tenants} tenants are listed instead of {count}"
    );
    Ok(())
}

/// Both systems of the company, one after the other.
async fn figures(who: &mut Speaker) -> anyhow::Result<()> {
    who.gets("traffic_report", json!({})).await?;
    who.gets("campaign_spend", json!({ "days": 30 })).await?;
    Ok(())
}

/// What a segment goes through.
async fn segments(who: &mut Speaker) -> anyhow::Result<()> {
    ensure!(
        names(&who.gets("list_segments", json!({})).await?).is_empty(),
        "a tenant sees the segments of the one above"
    );
    let made = who
        .gets("create_segment", segment("Catalans", "region", "CT"))
        .await?;
    who.gets("create_segment", segment("Early birds", "bought", "early"))
        .await?;
    let listed = who.gets("list_segments", json!({})).await?;
    ensure!(
        names(&listed) == ["Catalans", "Early birds"],
        "the list is another: {listed}"
    );
    let id = made["id"].clone();
    let changed = json!({ "id": id, "name": "Catalonia", "revision": 1 });
    who.gets("update_segment", changed.clone()).await?;
    // Whoever read it before the change must read it again.
    who.is_refused("update_segment", changed, "tool_failed")
        .await?;
    let kept = who.gets("get_segment", json!({ "id": id })).await?;
    ensure!(
        kept["name"] == "Catalonia" && kept["revision"] == 2,
        "the change is not kept: {kept}"
    );
    Ok(())
}
