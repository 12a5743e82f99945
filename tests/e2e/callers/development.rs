//! The development tenant (A6).

use super::*;

/// A6: the development tenant is for callers without a token, on this machine, and for nobody else.
#[tokio::test]
async fn a_development_tenant_is_for_callers_without_a_token() {
    let billing = Billing::start().await;
    let (issuer, _, builder) = by_file(&billing.url());
    let host = builder.arguments(&["--dev-tenant", "acme"]).start();
    assert!(host.has_logged("DEVELOPMENT MODE"));
    let open = reqwest::get(host.at("/api/v1/tools")).await.unwrap();
    assert_eq!(open.status(), 200);
    // A token, once there is one, has to be good; and a good one is believed.
    assert_eq!(outcome(&host, "nonsense").await.0, 401);
    let expired = issuer.mint(&json!({"tenantId": "acme", "exp": now() - 60}));
    assert_eq!(outcome(&host, &expired).await.0, 401);
    assert_eq!(
        called(&host, &issuer.mint(&json!({}))).await.1,
        "tenant_required"
    );
    assert_eq!(
        invoices(&host, &issuer.token("globex")).await,
        json!([invoice("globex")])
    );
    for value in ["Bearer", "Bearer ", "", "Basic YTpi"] {
        let request = reqwest::Client::new()
            .get(host.at("/api/v1/tools"))
            .header("authorization", value);
        let status = request.send().await.unwrap().status();
        assert!(matches!(status.as_u16(), 400 | 401), "{value:?}: {status}");
    }
    // What a proxy says about somebody's address is no proof of anything, either way.
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let request = reqwest::Client::new()
            .get(host.at("/api/v1/tools"))
            .header(header, "127.0.0.1");
        assert_eq!(
            request
                .bearer_auth("nonsense")
                .send()
                .await
                .unwrap()
                .status(),
            401,
            "{header}"
        );
    }
}

#[tokio::test]
async fn without_a_development_tenant_a_forwarded_loopback_address_opens_nothing() {
    let billing = Billing::start().await;
    let (_, _, builder) = by_file(&billing.url());
    let host = builder.start();
    for (header, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "::1"),
    ] {
        let request = reqwest::Client::new()
            .get(host.at("/api/v1/tools"))
            .header(header, value);
        assert_eq!(request.send().await.unwrap().status(), 401, "{header}");
    }
}

#[test]
fn a_development_tenant_does_not_start_where_others_can_reach_it() {
    for (by, listen) in [
        ("flag", "0.0.0.0:0"),
        ("environment", "0.0.0.0:0"),
        ("flag", "[::]:0"),
    ] {
        let builder = Host::with().plugin("echo");
        let builder = match by {
            "flag" => builder.arguments(&["--dev-tenant", "acme"]),
            _ => builder.env("DEV_TENANT_NAME", "acme"),
        };
        let (directory, _) = builder.write();
        let mut command = toolhost_harness::host::command(
            directory.path(),
            &["run", "--yes", "--listen", listen],
        );
        match by {
            "flag" => command.args(["--dev-tenant", "acme"]),
            _ => command.env("DEV_TENANT_NAME", "acme"),
        };
        let ended = toolhost_harness::host::end(&mut command);
        assert_eq!(ended.status, 2, "{by} {listen}: {ended:?}");
        assert!(
            ended.stderr.contains("--dev-tenant") && ended.stderr.contains("loopback"),
            "{ended:?}"
        );
    }
}
