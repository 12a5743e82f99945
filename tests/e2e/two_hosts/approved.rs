//! What an operator approved where one host is, served where another one is: the system is asked by
//! neither.

use toolhost_harness::guests;

use super::*;
use crate::mcp_upstream::evil::Evil;
use crate::two_hosts::flows::row;

/// What is approved is `host.lock`, and the answers beside it.
fn copy(from: &Host, to: &Host) {
    let (from, to) = (from.directory(), to.directory());
    std::fs::copy(from.join("host.lock"), to.join("host.lock")).unwrap();
    std::fs::create_dir_all(to.join("host.answers")).unwrap();
    for answer in std::fs::read_dir(from.join("host.answers")).unwrap() {
        let answer = answer.unwrap();
        std::fs::copy(
            answer.path(),
            to.join("host.answers").join(answer.file_name()),
        )
        .unwrap();
    }
}

/// A verb that asks a server of this process waits on a thread of its own.
async fn approve(host: &Host) {
    let directory = host.kept_directory();
    let verb = [
        "connection",
        "approve",
        "support",
        "--as-tenant",
        "acme",
        "--yes",
    ];
    let approved =
        tokio::task::spawn_blocking(move || toolhost_harness::host::run(directory.path(), &verb));
    let approved = approved.await.unwrap();
    assert_eq!(approved.status, 0, "{approved:?}");
}

async fn description(host: &Host, token: &str) -> Option<String> {
    let listed = json_of(ask(host, Method::GET, "/api/v1/tools", token)).await;
    let mut tools = listed["tools"].as_array().unwrap().iter();
    let fine = tools.find(|tool| tool["name"] == "support__fine")?;
    Some(fine["description"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_at_one_host_is_served_by_the_other_from_a_copy_of_the_lock() {
    let town = Town::new(Layout::Schema).await;
    let (billing, issuer) = (
        Billing::start().await,
        Issuer::es256("https://issuer.test", "k1"),
    );
    let evil = Evil::start().await;
    let support = format!(
        "[adapters.mcp]\nfile = \"{}\"\n[connections.support]\nadapter = \"mcp\"\nurl = \"{}\"\nauth = {{ type = \"none\" }}\nallow_http = true\nallow_loopback = true",
        guests::path("mcp").display(),
        evil.url()
    );
    let host = || builder(&town, &billing, &issuer).config(&support).start();
    let (mut one, mut two) = (host(), host());
    let token = issuer.mint(&json!({"tenantId": "acme", "sub": "ada", "role": "owner"}));
    assert_eq!(description(&one, &token).await, None);
    let flow = "approval";
    for (approving, name) in [(true, "one"), (false, "two")] {
        let (from, to) = if approving {
            (&mut one, &mut two)
        } else {
            (&mut two, &mut one)
        };
        from.kill();
        approve(from).await;
        row(flow, "approved", name);
        to.kill();
        copy(from, to);
        assert_eq!(
            from.verb(&["plugin", "assign", "support", "acme"]).status,
            0
        );
        let asked = evil.upstream.seen().len();
        (one, two) = (one.killed_and_started(), two.killed_and_started());
        let shown = [
            description(&one, &token).await,
            description(&two, &token).await,
        ];
        assert!(shown[0].is_some() && shown[0] == shown[1], "{shown:?}");
        assert_eq!(evil.upstream.seen().len(), asked, "it is asked for nobody");
        row(flow, "served, after a start", "both");
        evil.lists(|listed| listed[0]["description"] = json!("Does it otherwise."));
    }
    assert_eq!(
        description(&one, &token).await.as_deref(),
        Some("Does it otherwise.")
    );
    // Without its answer the yes is for nothing that anybody knows, and nobody is asked for it.
    two.kill();
    std::fs::remove_dir_all(two.directory().join("host.answers")).unwrap();
    two = two.killed_and_started();
    assert_eq!(description(&two, &token).await, None);
    assert!(two.has_logged("host.answers"));
    let linted = two.verb(&["lint"]);
    assert!(
        linted
            .stdout
            .contains("unread-description  connections.support"),
        "{linted:?}"
    );
}
