//! A host for one tenant (A20).

use super::*;

struct One {
    issuer: Issuer,
    host: Host,
}

impl One {
    fn with(claim: &str) -> Self {
        Self::also(claim, |host| host)
    }

    fn also(claim: &str, more: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let issuer = Issuer::es256("https://issuer.test", "k1");
        let host = Host::with()
            .plugin("evil")
            .file("jwks.json", issuer.jwks().to_string())
            .config("[connections.billing]\nbase = \"https://b.test\"\nauth = { type = \"none\" }\n[connections.echo]\nbase = \"https://e.test\"\nauth = { type = \"none\" }\n[tenancy]\nsingle = \"acme\"")
            .config(&format!(
                "[[issuers]]\nissuer = \"https://issuer.test\"\naudience = \"{AUDIENCE}\"\njwks_file = \"jwks.json\"\n{claim}"
            ));
        Self {
            issuer,
            host: more(host).start(),
        }
    }

    async fn put(&self, claims: Value, headers: &[(&str, &str)]) -> (u16, Value) {
        let arguments = json!({"operation": "put", "key": "k", "value": "v"});
        let mut request = reqwest::Client::new()
            .post(self.host.at("/api/v1/tools/kv/call"))
            .bearer_auth(self.issuer.mint(&claims))
            .json(&json!({ "arguments": arguments }));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap()["code"].clone(),
        )
    }
}

#[tokio::test]
async fn without_a_claim_every_valid_token_is_the_one_tenants() {
    let one = One::with("");
    assert_eq!(one.put(json!({}), &[]).await.0, 200);
    // Nobody looks at what is no claim here.
    assert_eq!(one.put(json!({"tenantId": "globex"}), &[]).await.0, 200);
    assert_eq!(
        one.put(json!({"aud": "https://other.test"}), &[]).await.0,
        401
    );
    let machine = json!({"gty": "client-credentials"});
    assert_eq!(
        one.put(machine.clone(), &[]).await,
        (403, json!("forbidden"))
    );
    let headers = [("snc-tenant", "globex"), ("snc-userid", "u")];
    assert_eq!(one.put(machine.clone(), &headers).await.0, 403);
    let headers = [("snc-tenant", "acme"), ("snc-userid", "u")];
    assert_eq!(one.put(machine, &headers).await.0, 200);
}

#[tokio::test]
async fn with_a_claim_one_that_differs_is_refused_and_none_is_not() {
    let one = One::with("tenant_claim = \"/tenantId\"");
    assert_eq!(one.put(json!({}), &[]).await.0, 200);
    assert_eq!(one.put(json!({"tenantId": "acme"}), &[]).await.0, 200);
    for other in ["globex", "ACME", "acme-eu"] {
        let refused = one.put(json!({ "tenantId": other }), &[]).await;
        assert_eq!(refused, (403, json!("tenant_unavailable")), "{other}");
    }
}

#[tokio::test]
async fn the_one_tenant_can_be_suspended_and_others_of_the_directory_are_not_served() {
    let one = One::also("tenant_claim = \"/tenantId\"", HostBuilder::data);
    assert_eq!(one.host.verb(&["tenant", "add", "globex"]).status, 0);
    assert_eq!(one.put(json!({"tenantId": "globex"}), &[]).await.0, 403);
    assert_eq!(one.put(json!({}), &[]).await.0, 200);
    assert_eq!(one.host.verb(&["tenant", "suspend", "acme"]).status, 0);
    assert_eq!(
        one.put(json!({}), &[]).await,
        (403, json!("tenant_unavailable"))
    );
}
