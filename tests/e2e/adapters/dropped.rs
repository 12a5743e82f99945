//! A described call whose caller goes away ends at the system too, and is counted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::adapters::{System, builder, issuer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_described_call_whose_caller_goes_away_is_closed_at_the_system_and_counted() {
    let (system, issuer) = (System::start().await, issuer());
    let spec = format!("spec = \"{}/openapi.json\"", system.upstream.url());
    let host = builder(&issuer, "openapi", &spec)
        .server("metrics_listen = \"127.0.0.1:0\"")
        .start();
    let request = reqwest::Client::new()
        .post(host.at("/api/v1/tools/billing__getInvoice/call"))
        .bearer_auth(issuer.token("acme"))
        .json(&json!({"arguments": {"id": "never"}}));
    let waits = tokio::spawn(request.send());
    let pause = || tokio::time::sleep(Duration::from_millis(25));
    while system.paths().is_empty() {
        pause().await;
    }
    waits.abort();
    let metrics = format!("http://{}/metrics", host.metrics().unwrap());
    let lines = [
        "toolhost_cancels_total{outcome=\"closed\",reason=\"caller\"} 1",
        "toolhost_calls_total{outcome=\"cancelled\"} 1",
        "toolhost_gateway_calls_total{door=\"api\",outcome=\"cancelled\"} 1",
    ];
    let seen = async {
        loop {
            let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
            if lines.iter().all(|line| text.contains(line))
                && system.closed.load(Ordering::SeqCst) == 1
            {
                return;
            }
            pause().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), seen)
        .await
        .unwrap();
}
