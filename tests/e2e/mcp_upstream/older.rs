//! Servers of before, as they are: what they do not know they may never answer.

use serde_json::json;

use crate::mcp_upstream::evil::Evil;
use crate::mcp_upstream::{builder, call, issuer, start};

/// Approving begins a session, and so does the first call of a caller.
#[tokio::test]
async fn a_server_that_never_answers_the_first_question_is_used_as_an_older_one() {
    let (evil, issuer) = (Evil::start().await, issuer());
    evil.hangs();
    let host = start(builder(&issuer, &evil.url())).await;
    let methods = || -> Vec<String> {
        let messages = evil.upstream.seen();
        let messages = messages
            .iter()
            .map(|seen| serde_json::from_slice(&seen.body).unwrap_or_default());
        messages
            .filter_map(|message: serde_json::Value| message["method"].as_str().map(str::to_owned))
            .collect()
    };
    let begin = ["server/discover", "initialize", "notifications/initialized"];
    assert_eq!(methods(), [&begin[..], &["tools/list"]].concat());
    let (status, body) = call(&host, &issuer.token("acme"), "fine", json!({})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(methods().last().unwrap(), "tools/call");
}
