use crate::providers::{World, connection, not_connected};

const LINES: &str = "headers = { x-account-id = \"{external_tenant_id}\" }\nquery = { account = \"a-{external_tenant_id}\" }\n[data]\ndir = \"data\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn base_query_and_headers_are_each_tenants_own() {
    let world = World::start(|builder, url| {
        builder.config(&connection(&format!("{url}/of/{{site}}"), LINES))
    })
    .await;
    for (tenant, site) in [("acme", "eu-1"), ("globex", "us~2")] {
        let (site, account) = (
            format!("site={site}"),
            format!("external_tenant_id=acct&{tenant}"),
        );
        world.set(
            &format!("{tenant}/billing"),
            &format!("tok-of-{tenant}-0123456789"),
            &[&site, &account],
        );
        assert_eq!(world.invoices(tenant).await, (200, None));
    }
    let seen = world.ledger.seen();
    let uris: Vec<&str> = seen.iter().map(|seen| seen.uri.as_str()).collect();
    assert_eq!(
        uris,
        [
            "/of/eu-1/v1/invoices?limit=20&account=a-acct%26acme",
            "/of/us~2/v1/invoices?limit=20&account=a-acct%26globex"
        ]
    );
    assert_eq!(seen[1].header("x-account-id"), Some("acct&globex"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e8_an_attribute_that_would_leave_its_place_sends_nothing() {
    let world = World::start(|builder, url| {
        builder.config(&connection(&format!("{url}/of/{{site}}"), LINES))
    })
    .await;
    for site in ["..", "a/b", "%2e%2e", "a?b", "a#b", "a;b", "@evil.example"] {
        let site = format!("site={site}");
        let attributes = [site.as_str(), "external_tenant_id=acct_7"];
        world.set("acme/billing", "tok-of-acme-0123456789", &attributes);
        assert_eq!(world.invoices("acme").await, not_connected(), "{site}");
    }
    world.set("acme/billing", "tok-of-acme-0123456789", &["site=eu-1"]);
    assert_eq!(
        world.invoices("acme").await,
        not_connected(),
        "no attribute for the query"
    );
    assert!(world.ledger.seen().is_empty());
}
