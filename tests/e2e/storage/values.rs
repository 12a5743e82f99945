use serde_json::json;
use toolhost_harness::{Host, Issuer};

#[tokio::test]
async fn what_a_plugin_keeps_outlives_the_host_and_stays_its_tenants() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let host = Host::with()
        .data()
        .plugin("evil")
        .config("[connections.billing]\nbase = \"http://127.0.0.1:9\"\nallow_http = true\nallow_loopback = true\nauth = { type = \"none\" }\n[connections.echo]\nbase = \"http://127.0.0.1:9\"\nallow_http = true\nallow_loopback = true\nauth = { type = \"none\" }\n[tenants.acme]\n[tenants.globex]")
        .issuer(&issuer)
        .start();
    let kv = async |host: &Host, tenant: &str, arguments: serde_json::Value| {
        let request = reqwest::Client::new()
            .post(host.at("/api/v1/tools/kv/call"))
            .bearer_auth(issuer.token(tenant))
            .json(&json!({ "arguments": arguments }));
        request.send().await.unwrap().text().await.unwrap()
    };
    let put = json!({"operation": "put", "key": "../globex/k\u{0}", "value": "kept for acme"});
    let get = json!({"operation": "get", "key": "../globex/k\u{0}"});
    let said = kv(&host, "acme", put).await;
    assert!(said.contains("version"), "{said}");
    let host = host.killed_and_started();
    assert!(
        kv(&host, "acme", get.clone())
            .await
            .contains("kept for acme")
    );
    assert!(!kv(&host, "globex", get).await.contains("kept for acme"));
}
