//! A refresh token that each use takes back, used by two hosts of which one is killed.

use std::sync::{Arc, Mutex};

use toolhost_harness::{RawUpstream, Say};
use toolhost_store::{Key, Table};

use super::*;
use crate::two_hosts::flows::row;
use crate::two_hosts::unheard::taken_away;

/// An authorization server that rotates: a refresh token that was used already ends them all (RFC
/// 9700, 4.14.2).
#[derive(Default)]
struct RotatingTokenServer {
    uses: usize,
    hangs: bool,
    is_over: bool,
}

impl RotatingTokenServer {
    fn answer(&mut self, request: &str) -> String {
        let shown = request.split("refresh_token=").nth(1).unwrap_or_default();
        let shown = shown.split('&').next().unwrap_or_default();
        self.is_over |= shown != format!("refresh-token-{}", self.uses);
        if self.is_over {
            return say(400, r#"{"error": "invalid_grant"}"#);
        }
        self.uses += 1;
        // It ends before a call that begins now might, so that each call needs another.
        let (uses, life) = (self.uses, 30);
        say(
            200,
            &format!(
                r#"{{"access_token": "access-token-{uses}", "token_type": "Bearer", "expires_in": {life}, "refresh_token": "refresh-token-{uses}"}}"#
            ),
        )
    }
}

fn say(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_goes_from_host_to_host_and_none_is_used_twice() {
    let town = Town::new(Layout::Schema).await;
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let server = Arc::new(Mutex::new(RotatingTokenServer::default()));
    let asked = Arc::clone(&server);
    let tokens = RawUpstream::start(move |request| {
        let mut server = asked.lock().unwrap();
        match server.hangs {
            true => vec![Say::Hang],
            false => vec![Say::Bytes(server.answer(request).into_bytes())],
        }
    })
    .await;
    let upstream = RawUpstream::saying(say(200, r#"{"invoices": []}"#)).await;
    let host = || {
        let more = format!(
            "credentials = \"tokens\"\n[providers.tokens]\nkind = \"oauth2-refresh\"\ntoken_url = \"{}/token\"\nclient_id = \"toolhost\"\nclient_secret_file = \"own.secret\"\nallow_http = true\nallow_loopback = true",
            tokens.url()
        );
        builder_before(&town, &upstream.url(), &more, &issuer, "free")
            .file("own.secret", "a-secret-of-the-client-0123")
            .start()
    };
    let mut one = host();
    let verb = ["credential", "set", "acme/billing", "--secret-file", "-"];
    let kept = one.verb_with(
        &[&verb[..], &["--attribute", "external_tenant_id=acct_acme"]].concat(),
        "refresh-token-0",
    );
    assert_eq!(kept.status, 0, "{kept:?}");
    assert_eq!(one.verb(&["plugin", "assign", "billing", "acme"]).status, 0);
    let two = host();
    let token = issuer.mint(&json!({"tenantId": "acme", "sub": "ada", "role": "owner"}));
    let id = session(&one, &token).await;
    let used = || server.lock().unwrap().uses;
    let renewed = async |host: &Host| {
        let before = used();
        let (status, code) = outcome(call(host, &token, &id, &invoices())).await;
        assert_eq!((status, code.as_str()), (200, ""), "after {before} uses");
        assert!(used() > before);
    };
    let flow = "refresh token";
    for (host, name) in [(&one, "one"), (&two, "two"), (&one, "one")] {
        renewed(host).await;
        row(flow, "used, and the next one stored", name);
    }
    let calls = [&one, &two, &one, &two, &one, &two]
        .map(|host| outcome(call(host, &token, &id, &invoices())));
    for (status, code) in futures::future::join_all(calls).await {
        assert_eq!(status, 200, "{code}");
    }
    row(flow, "used by both at once", "one after the other");
    renewed(&one).await;
    one.kill();
    row(flow, "killed after a use", "one");
    renewed(&two).await;
    row(flow, "used", "two");
    one = one.killed_and_started();
    renewed(&one).await;
    row(flow, "used", "one, after a start");
    // Killed while the server has its request: nobody knows whether the token is used up, so that
    // the other host waits.
    server.lock().unwrap().hangs = true;
    let asked = tokens.connections();
    let dropped = tokio::spawn(call(&one, &token, &id, &invoices()).send());
    until("the request", SOON, async || tokens.connections() > asked).await;
    one.kill();
    assert!(dropped.await.unwrap().is_err());
    row(flow, "killed while it is used", "one");
    server.lock().unwrap().hangs = false;
    let (asked, waits) = (tokens.connections(), call(&two, &token, &id, &invoices()));
    let ended = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(tokens.connections(), asked, "the lease is the dead host's");
        // In half a minute it would be over.
        let lease = Key::new(Table::Credential, &[b"renewing"], b"billing").unwrap();
        taken_away(&town, "acme", lease.as_bytes()).await;
    };
    let (answered, ()) = tokio::join!(outcome(waits), ended);
    assert_eq!(answered.0, 200, "{answered:?}");
    row(flow, "used, once the lease is over", "two");
    assert!(
        !server.lock().unwrap().is_over,
        "no refresh token was used twice"
    );
}
