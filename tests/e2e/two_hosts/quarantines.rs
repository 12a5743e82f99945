//! A billing system that sends acme's credential back: what one host saw counts at the other, and
//! what an operator lifts at one is lifted at both.

use toolhost_harness::{RawUpstream, Say};

use super::*;

/// Sends back what acme shows; globex gets its invoice.
async fn mirror() -> RawUpstream {
    RawUpstream::start(|request| {
        let mut invoice = invoice("globex");
        if request.contains(&secret("acme")) {
            invoice["id"] = json!(secret("acme"));
        }
        let body = json!({ "invoices": [invoice] }).to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        vec![Say::Bytes([head, body].concat().into_bytes())]
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_that_one_host_begins_holds_at_the_other_until_it_is_lifted_at_either() {
    let (town, upstream) = (Town::new(Layout::Schema).await, mirror().await);
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let builder = || builder_before(&town, &upstream.url(), "", &issuer, "free");
    let one = builder().start();
    for tenant in ["acme", "globex"] {
        keep_credential(&one, tenant, &[]);
        let assigned = one.verb(&["plugin", "assign", "billing", tenant]);
        assert_eq!(assigned.status, 0, "{assigned:?}");
    }
    let mut two = builder().start();
    let token =
        |tenant: &str| issuer.mint(&json!({"tenantId": tenant, "sub": "ada", "role": "owner"}));
    let list = async |host: &Host, tenant: &str| {
        let request = ask(
            host,
            Method::POST,
            "/api/v1/tools/list_invoices/call",
            &token(tenant),
        );
        outcome(request.json(&json!({"arguments": {"limit": 3}}))).await
    };
    let reflected = |outcome: &(u16, String)| outcome.1 == "credential_reflected";

    // The first host hands on one answer without the credential, the second withholds the next.
    until("the assignment", SOON, async || {
        list(&two, "globex").await.0 == 200
    })
    .await;
    assert_eq!(list(&one, "acme").await.0, 200);
    let second = list(&two, "acme").await;
    assert!(reflected(&second), "{second:?}");
    for host in [&one, &two] {
        let refused = list(host, "acme").await;
        assert!(reflected(&refused), "{refused:?}");
        assert_eq!(list(host, "globex").await.0, 200);
    }
    two = two.killed_and_started();
    let before = upstream.connections();
    let refused = list(&two, "acme").await;
    assert!(reflected(&refused), "{refused:?}");
    assert_eq!(upstream.connections(), before, "nothing was sent");

    let shown = one.verb(&["connection", "quarantines"]);
    assert!(
        shown.stdout.contains("acme") && !shown.stdout.contains("globex"),
        "{shown:?}"
    );
    let lifted = two.verb(&["connection", "lift", "billing", "--tenant", "acme"]);
    assert_eq!(lifted.status, 0, "{lifted:?}");
    // The count begins anew, so the first host may hand on one answer again.
    until("the lift", SOON, async || list(&one, "acme").await.0 == 200).await;
    let again = list(&two, "acme").await;
    assert!(reflected(&again), "{again:?}");
}
