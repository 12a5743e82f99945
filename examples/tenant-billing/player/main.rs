//! One authored tool, one OpenAPI connection and one MCP connection, for two tenants:
//! `examples/tenant-billing`.

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "its output is for people; only JSON values are indexed, and reading one gives null for what is not there"
)]

mod setup;
mod wire;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use toolhost_examples::player::{self, PlayedExample, title};
use toolhost_harness::{CallReply, McpClient};

use setup::TenantBillingSetup;

fn main() -> anyhow::Result<()> {
    player::run(play)
}

async fn play() -> anyhow::Result<PlayedExample> {
    let scene = TenantBillingSetup::set_up()?;
    println!(
        "\nThe billing API, the help desk and the application's credentials (a real HTTP server) are at {}.",
        scene.upstream.url()
    );
    println!(
        "The host serves them as tools at {}.",
        scene.host.at("/mcp")
    );
    let mut people = Vec::new();
    for (name, tenant) in [("ann", "acme"), ("gil", "globex")] {
        println!("{name}'s token is of {tenant}.");
        people.push(Person::enters(&scene, name, tenant).await);
    }
    let [ann, gil] = people.as_mut_slice() else {
        anyhow::bail!("two people are needed")
    };

    title(
        "The tools: what the operator let through, and no argument for a tenant, an account or a token",
    );
    ann.sees_the_tools().await?;

    title("The authored tool");
    for person in [&mut *ann, &mut *gil] {
        person.gets("list_invoices", json!({ "limit": 2 })).await?;
    }

    title("The OpenAPI connection");
    for person in [&mut *ann, &mut *gil] {
        let (invoice, subscription) = (person.own("in", "_1"), person.own("sub", ""));
        person
            .gets("billing__getInvoice", json!({ "id": invoice }))
            .await?;
        let change = json!({ "id": subscription, "body": { "plan": "team", "seats": 12 } });
        person.gets("billing__updateSubscription", change).await?;
    }

    title("The MCP connection");
    for (person, ticket) in [(&mut *ann, "T-2"), (&mut *gil, "T-3")] {
        person
            .gets("support__search_tickets", json!({ "query": "invoice" }))
            .await?;
        let note = json!({ "id": ticket, "note": "Sent it again." });
        person.gets("support__add_internal_note", note).await?;
    }

    title("What is refused");
    ann.is_refused("list_invoices", json!({ "limit": 2, "tenant": "globex" }))
        .await?;
    ann.is_refused("billing__getInvoice", json!({ "id": "in_globex_1" }))
        .await?;
    ann.is_refused(
        "billing__listInvoices",
        json!({ "X-Account-Id": "acct_globex" }),
    )
    .await?;
    ann.is_refused("support__get_ticket", json!({ "id": "T-3" }))
        .await?;
    for hidden in ["billing__closeAccount", "support__delete_ticket"] {
        ann.knows_nothing_of(hidden).await?;
    }

    title("What crossed the wire (secrets masked by the systems)");
    wire::show(&wire::read(&scene.upstream.record)?)?;
    player::stop(scene.host).await?;
    println!("\nThe host finished what was in flight and stopped with status 0.");
    Ok(PlayedExample {
        record: scene.upstream.record.clone(),
        directory: scene.directory,
    })
}

/// Somebody with a session, who says aloud what is asked and what comes back.
struct Person {
    name: &'static str,
    tenant: &'static str,
    client: McpClient,
}

impl Person {
    async fn enters(scene: &TenantBillingSetup, name: &'static str, tenant: &'static str) -> Self {
        let mut client = McpClient::new(&scene.host.at("/mcp"), &scene.issuer.token(tenant));
        client.initialize().await;
        Self {
            name,
            tenant,
            client,
        }
    }

    /// An id of something of the person's own tenant.
    fn own(&self, kind: &str, end: &str) -> String {
        format!("{kind}_{}{end}", self.tenant)
    }

    async fn sees_the_tools(&mut self) -> anyhow::Result<()> {
        let listed = self.client.request("tools/list", json!({})).await;
        let Ok(listed) = listed else {
            bail!("there is no list of tools")
        };
        let tools = listed["tools"]
            .as_array()
            .context("there is no list of tools")?;
        let mut lines = Vec::new();
        for tool in tools {
            let properties = tool["inputSchema"]["properties"].as_object();
            let arguments: Vec<&str> = properties
                .into_iter()
                .flat_map(|all| all.keys())
                .map(String::as_str)
                .collect();
            let hidden = |name: &&str| {
                let name = name.to_lowercase();
                ["tenant", "account", "workspace", "token"]
                    .iter()
                    .any(|word| name.contains(word))
            };
            let name = tool["name"].as_str().unwrap_or_default();
            ensure!(
                !arguments.iter().any(hidden),
                "{name} takes what is the host's: {arguments:?}"
            );
            lines.push(
                format!("  {name:<30} {}", arguments.join(", "))
                    .trim_end()
                    .to_owned(),
            );
        }
        lines.sort();
        println!("\n{}> tools/list\n{}", self.name, lines.join("\n"));
        Ok(())
    }

    async fn asks(&mut self, tool: &str, arguments: Value) -> anyhow::Result<CallReply> {
        println!("\n{}> {tool} {arguments}", self.name);
        let answer = player::call(&self.client, tool, arguments).await?;
        ensure!(
            !answer.raw.to_string().contains("tok_"),
            "the answer of {tool} holds a token"
        );
        Ok(answer)
    }

    /// A call that goes well.
    async fn gets(&mut self, tool: &str, arguments: Value) -> anyhow::Result<()> {
        let answer = self.asks(tool, arguments).await?;
        ensure!(!answer.is_error(), "{tool} failed: {}", answer.raw);
        let result = answer.structured().context("the answer has no content")?;
        let rows = ["invoices", "tickets"]
            .iter()
            .find_map(|member| result[member].as_array());
        let rows = rows.map_or(std::slice::from_ref(result), Vec::as_slice);
        for row in rows {
            println!("  {row}");
        }
        Ok(())
    }

    /// A call of a tool that the operator did not let through.
    async fn knows_nothing_of(&mut self, tool: &str) -> anyhow::Result<()> {
        let said = self.asks(tool, json!({})).await.err();
        let said = said.with_context(|| format!("{tool} was called"))?;
        println!("  {}", said.root_cause());
        Ok(())
    }

    /// A call that is refused.
    async fn is_refused(&mut self, tool: &str, arguments: Value) -> anyhow::Result<()> {
        let answer = self.asks(tool, arguments).await?;
        ensure!(
            answer.is_error(),
            "{tool} was to be refused: {}",
            answer.raw
        );
        println!(
            "  {}: {}",
            answer.code().unwrap_or("no code"),
            answer.text()
        );
        Ok(())
    }
}
