//! Tenants that tokens bring along (A17).

use super::*;

struct Open {
    first: Issuer,
    second: Issuer,
    host: Host,
}

impl Open {
    fn start() -> Self {
        let first = Issuer::es256("https://issuer.test", "k1");
        let second = Issuer::es256("https://other.test", "k2");
        let host = Host::with()
            .data()
            .plugin("evil")
            .config("[connections.billing]\nbase = \"https://b.test\"\n[connections.echo]\nbase = \"https://e.test\"")
            .issuer(&first)
            .config("may_provision = true\nprovision_rate = 2")
            .issuer(&second)
            .start();
        Self {
            first,
            second,
            host,
        }
    }

    async fn put(&self, issuer: &Issuer, tenant: &str) -> u16 {
        let request = reqwest::Client::new()
            .post(self.host.at("/api/v1/tools/kv/call"))
            .bearer_auth(issuer.token(tenant))
            .json(&json!({"arguments": {"operation": "put", "key": "k", "value": "v"}}));
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn an_issuer_that_may_brings_tenants_along_so_many_a_minute_and_it_is_recorded() {
    let open = Open::start();
    assert_eq!(
        open.put(&open.second, "newco").await,
        403,
        "this issuer may not"
    );
    assert_eq!(open.put(&open.first, "newco").await, 200);
    assert_eq!(
        open.put(&open.second, "newco").await,
        200,
        "it is there now"
    );
    assert_eq!(open.put(&open.first, "Not A Tenant").await, 401);
    assert_eq!(
        open.put(&open.first, "org_AbC").await,
        403,
        "a key is no id"
    );
    assert_eq!(open.put(&open.first, "second").await, 200);
    assert_eq!(open.put(&open.first, "third").await, 403, "two a minute");
    let tail = open.host.verb(&["audit", "tail", "-n", "200"]).stdout;
    let events: Vec<Value> = tail
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |tenant: &str| {
        let events = events
            .iter()
            .filter(|event| event["event"] == "tenant_changed" && event["tenant"] == tenant);
        events
            .map(|event| (event["by"].clone(), event["done"].clone()))
            .collect::<Vec<_>>()
    };
    let by = json!("user-1 at https://issuer.test");
    assert_eq!(of("newco"), [(by.clone(), json!(false)), (by, json!(true))]);
    assert!(of("third").is_empty());
}

#[tokio::test]
async fn a_tenant_that_was_removed_is_not_brought_back_by_a_token() {
    let open = Open::start();
    assert_eq!(open.put(&open.first, "newco").await, 200);
    let removed = open.host.verb(&["tenant", "remove", "newco", "--yes"]);
    assert_eq!(removed.status, 0, "{removed:?}");
    assert_eq!(open.put(&open.first, "newco").await, 403);
    let open = Open {
        host: open.host.killed_and_started(),
        ..open
    };
    assert_eq!(open.put(&open.first, "newco").await, 403);
    let key = open.host.directory().join("data/keys/tenants/newco.key");
    assert!(!key.exists());
}
