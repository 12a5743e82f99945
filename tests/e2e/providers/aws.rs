use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::providers::servers::Moto;
use crate::providers::{World, connection, not_connected};

/// What an operator does with Amazon's own tools.
async fn operate(moto: &Moto, operation: &str, body: Value) {
    let scope = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-central-1/secretsmanager/aws4_request, \
                 SignedHeaders=host, Signature=00";
    let request = reqwest::Client::new()
        .post(moto.url.clone())
        .header("x-amz-target", format!("secretsmanager.{operation}"))
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", scope)
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{operation}");
}

async fn keep(moto: &Moto, tenant: &str, site: &str) {
    let text =
        json!({ "secret": format!("tok-of-{tenant}-0123456789"), "attributes": { "site": site } });
    let name = format!("toolhost/{tenant}/billing");
    operate(
        moto,
        "CreateSecret",
        json!({ "Name": name, "SecretString": text.to_string() }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_manager_keeps_each_tenants_own_and_takes_it_back() {
    let moto = tokio::task::block_in_place(Moto::start);
    keep(&moto, "acme", "eu-1").await;
    keep(&moto, "globex", "us-2").await;
    let provider = format!(
        "credentials = \"aws\"\n[providers.aws]\nkind = \"aws-secrets-manager\"\nregion = \"eu-central-1\"\nurl = \"{}\"\naccess_key_id = \"AKIATEST\"\nsecret_access_key_env = \"AWS_KEY_OF_THE_HOST\"\nsecret_id = \"toolhost/{{tenant}}/{{connection}}\"\nallow_http = true\nallow_loopback = true",
        moto.url
    );
    let world = World::start(|builder, url| {
        builder
            .env("AWS_KEY_OF_THE_HOST", "an-aws-secret-key-0123")
            .config(&connection(&format!("{url}/of/{{site}}"), &provider))
    })
    .await;
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(world.invoices("globex").await, (200, None));
    assert_eq!(
        world.ledger.bearers(),
        ["tok-of-acme-0123456789", "tok-of-globex-0123456789"]
    );
    assert_eq!(world.ledger.seen()[1].uri, "/of/us-2/v1/invoices?limit=20");

    operate(
        &moto,
        "DeleteSecret",
        json!({ "SecretId": "toolhost/acme/billing" }),
    )
    .await;
    let taken = Instant::now();
    while world.invoices("acme").await != not_connected() {
        assert!(taken.elapsed() < Duration::from_secs(20), "T54");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.invoices("globex").await, (200, None));
}
