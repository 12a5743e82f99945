use toolhost_harness::LeakDetector;

use crate::providers::broker::{Broker, TOKEN, of, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_secret_is_in_anything_that_the_host_says() {
    const SECRET: &str = "canary-zQ81mLr4Vt6XyPw0-of-acme";
    let broker = Broker::start().await;
    broker.keep(&of("acme"), SECRET);
    let world = world(&broker, "[data]\ndir = \"data\"").await;
    world.ledger.refuse(SECRET);
    let mut said = Vec::new();
    for _ in 0..2 {
        let token = world.issuer.token("acme");
        let (status, body) = world
            .call_as(token, "list_invoices", serde_json::json!({}))
            .await;
        assert_ne!(status, 200);
        said.push(body.to_string());
    }
    broker.drop(&of("acme"));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    said.push(format!("{:?}", world.invoices("acme").await));
    for verb in [
        &["audit", "export", "acme"][..],
        &["audit", "export"],
        &["credential", "list"],
        &["doctor"],
    ] {
        let ended = world.host.verb(verb);
        said.extend([ended.stdout, ended.stderr]);
    }
    said.push(world.host.log());
    assert!(world.ledger.bearers().iter().any(|bearer| bearer == SECRET));
    let detector = LeakDetector::new([SECRET, TOKEN]);
    for text in said {
        assert_eq!(detector.find(text.as_bytes()), None, "{text}");
    }
}
