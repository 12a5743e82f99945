use anyhow::{Context, ensure};
use serde_json::Value;
use toolhost_examples::player;
use toolhost_harness::{CallReply, McpClient};

use crate::show;

/// What every token of the company begins with: `{"` in the alphabet of RFC 7515.
const TOKEN: &str = "eyJ";

/// A session of somebody, who says aloud what it asks and what comes back.
pub(super) struct Speaker {
    name: &'static str,
    client: McpClient,
    /// Which tenant each answer must say that it was for.
    at: Option<&'static str>,
}

impl Speaker {
    /// Begins a session with a login's token.
    pub(super) async fn enters(
        name: &'static str,
        url: &str,
        token: &str,
        at: Option<&'static str>,
    ) -> anyhow::Result<Self> {
        let mut client = McpClient::new(url, token);
        client.initialize().await;
        Ok(Self { name, client, at })
    }

    async fn asks(&mut self, tool: &str, arguments: Value) -> anyhow::Result<CallReply> {
        println!("\n{}> {tool} {arguments}", self.name);
        let answer = player::call(&self.client, tool, arguments).await?;
        ensure!(
            !answer.raw.to_string().contains(TOKEN),
            "the answer of {tool} holds a token"
        );
        Ok(answer)
    }

    /// A call that goes well, for the tenant that is active.
    pub(super) async fn gets(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        let answer = self.asks(tool, arguments).await?;
        ensure!(!answer.is_error(), "{tool} failed: {}", answer.raw);
        let was_for = answer.raw["_meta"]["toolhost/active_tenant"].as_str();
        ensure!(
            was_for == self.at,
            "{tool} was for {was_for:?} and not for {:?}",
            self.at
        );
        let result = answer
            .structured()
            .context("the answer has no content")?
            .clone();
        show::result(tool, &result);
        Ok(result)
    }

    /// A call that is refused with this code.
    pub(super) async fn is_refused(
        &mut self,
        tool: &str,
        arguments: Value,
        code: &str,
    ) -> anyhow::Result<()> {
        let answer = self.asks(tool, arguments).await?;
        ensure!(
            answer.is_error() && answer.code() == Some(code),
            "{tool} was to be refused with {code}: {}",
            answer.raw
        );
        show::wrapped(&format!("{code}: {}", answer.text()));
        Ok(())
    }

    /// A switch, or a reset, that goes well.
    pub(super) async fn goes(
        &mut self,
        tool: &str,
        arguments: Value,
        to: &'static str,
    ) -> anyhow::Result<()> {
        let before = self.at.replace(to);
        let result = self.gets(tool, arguments).await?;
        ensure!(
            result["active_tenant_id"] == to && result["previous_tenant_id"].as_str() == before,
            "{tool} went elsewhere: {result}"
        );
        Ok(())
    }
}
