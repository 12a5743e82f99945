//! What plugins keep for their callers to fetch: whose it is, and that no id reaches another's
//! (A14, T42).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use toolhost_egress::Egress;
use toolhost_harness::{Callers, Host, Issuer, Recorder, Rig, guests, json_of, text_of, values};
use toolhost_identity::Binding;
use toolhost_net::Network;
use toolhost_policy::{ErrorCode, Grant, Limits, PluginName};
use toolhost_sandbox::{Sandbox, SandboxSettings};
use toolhost_tools::{CallOptions, CallOutcome, Catalogue, ModelArgs, OutputBlock, Tools};

/// The same component twice, under two names, over one store.
struct Kept {
    tools: Tools,
    other: Tools,
    callers: Callers,
}

async fn kept() -> Kept {
    let network = Arc::new(Network::system().unwrap());
    let egress =
        Arc::new(Egress::new(network, BTreeMap::new(), Arc::new(Recorder::default())).unwrap());
    let settings = SandboxSettings {
        slots: 4,
        cache: Some(guests::target().join("tests-cache")),
        ..SandboxSettings::default()
    };
    let sandbox = Sandbox::new(settings, Arc::clone(&egress), values(&["acme", "globex"])).unwrap();
    let plugin = sandbox.load(&guests::component("evil")).await.unwrap();
    let serve = async |name: &str| {
        let grant = Grant {
            plugin: PluginName::parse(name).unwrap(),
            connections: BTreeMap::new(),
            limits: Limits::default(),
        };
        let catalogue = Catalogue::build(vec![(plugin.clone(), grant)], 1)
            .await
            .unwrap();
        Tools::new(
            catalogue,
            Arc::clone(&egress),
            Arc::new(Recorder::default()),
        )
        .unwrap()
    };
    Kept {
        tools: serve("evil").await,
        other: serve("evil-too").await,
        callers: Callers::new(&["acme", "globex"], "http://127.0.0.1/mcp").await,
    }
}

async fn artifact(tools: &Tools, binding: &Binding, args: Value) -> Result<Value, String> {
    let Value::Object(members) = args else {
        panic!()
    };
    let options = CallOptions::default();
    match tools
        .call(binding, "artifact", ModelArgs::new(members), options)
        .await
    {
        Ok(CallOutcome::Complete(output)) => Ok(output.structured.unwrap()["result"].clone()),
        other => Err(format!("{other:?}")),
    }
}

fn get(id: &str) -> Value {
    json!({"operation": "get", "id": id})
}

fn delete(id: &str) -> Value {
    json!({"operation": "delete", "id": id})
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_of_another_tenant_plugin_or_person_cannot_be_named() {
    let kept = kept().await;
    let ada = kept.callers.binding("acme", "ada").await;
    let bob = kept.callers.binding("acme", "bob").await;
    let eve = kept.callers.binding("globex", "eve").await;
    let put = |personal: bool| json!({"operation": "put", "value": "of acme", "personal": personal, "name": "a.txt"});
    let shared = artifact(&kept.tools, &ada, put(false)).await.unwrap();
    let own = artifact(&kept.tools, &ada, put(true)).await.unwrap();
    let (shared, own) = (shared.as_str().unwrap(), own.as_str().unwrap());
    assert_ne!(shared, own, "equal bytes, different ids");
    assert_eq!(
        artifact(&kept.tools, &bob, get(shared)).await.unwrap()["begin"],
        "of acme"
    );
    assert_eq!(
        artifact(&kept.tools, &ada, get(own)).await.unwrap()["name"],
        "a.txt"
    );
    for (tools, who, id) in [
        (&kept.tools, &eve, shared),
        (&kept.tools, &eve, own),
        (&kept.tools, &bob, own),
        (&kept.other, &ada, shared),
        (&kept.other, &ada, own),
    ] {
        // As one that never was.
        assert_eq!(artifact(tools, who, get(id)).await.unwrap(), Value::Null);
        assert_eq!(
            artifact(tools, who, delete(id)).await.unwrap(),
            json!(false)
        );
    }
    for id in [
        "",
        "..",
        "../acme",
        &format!("../acme/evil/{shared}"),
        &format!("acme\u{0}evil\u{0}{shared}"),
        &format!("{shared}\u{0}"),
        &format!(" {shared}"),
        &format!("artifact:{shared}"),
        &shared.to_uppercase(),
        &shared.replacen(|c: char| c.is_ascii_digit(), "\u{663}", 1),
        &"0".repeat(32),
        &"f".repeat(100_000),
        "*",
        "%2e%2e",
    ] {
        for who in [&ada, &eve] {
            let found = artifact(&kept.tools, who, get(id)).await.unwrap();
            // Sixteen digits without a letter have no upper case.
            assert!(found.is_null() || id == shared, "{id:?}: {found}");
            assert!(
                id == shared
                    || artifact(&kept.tools, who, delete(id)).await.unwrap() == json!(false)
            );
        }
    }
    assert_eq!(
        artifact(&kept.tools, &ada, delete(shared)).await.unwrap(),
        json!(true)
    );
    assert_eq!(
        artifact(&kept.tools, &bob, get(shared)).await.unwrap(),
        Value::Null
    );
    assert_eq!(
        artifact(&kept.tools, &ada, get(own)).await.unwrap()["begin"],
        "of acme"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_why_and_a_large_one_comes_back_whole() {
    let kept = kept().await;
    let ada = kept.callers.binding("acme", "ada").await;
    let put = async |more: Value| {
        let mut args = json!({"operation": "put", "value": "x"});
        args.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        artifact(&kept.tools, &ada, args).await
    };
    for (more, says) in [
        (json!({"name": "../../etc/passwd"}), "a name has"),
        (json!({"name": "a\u{0}b"}), "a name has"),
        (
            json!({"mime_type": "text/html\r\nset-cookie: a"}),
            "mime-type",
        ),
        (json!({"ttl_ms": 0}), "1 second to 7 days"),
        (json!({"ttl_ms": u64::MAX}), "1 second to 7 days"),
    ] {
        let refused = put(more.clone()).await.unwrap_err();
        assert!(
            refused.contains("InvalidArguments") && refused.contains(says),
            "{more}: {refused}"
        );
    }
    let id = put(json!({"value": "0123456789abcdef", "repeat": 3 << 16}))
        .await
        .unwrap();
    let found = artifact(&kept.tools, &ada, get(id.as_str().unwrap()))
        .await
        .unwrap();
    assert_eq!(found["length"], 3 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_ends_at_the_plugins_quota_or_the_calls_budget_and_takes_nobody_elses_room() {
    let rig = Rig::for_plugin("evil")
        .limits(|limits| limits.memory_bytes = Some(128 << 20))
        .build()
        .await;
    let flood = async |tenant: &str, n: u32| {
        text_of(
            &rig.call(tenant, "artifact_flood", json!({"n": n}))
                .await
                .unwrap(),
        )
    };
    let said = flood("acme", 40).await;
    assert!(
        said.contains("refused after 21") && said.contains("full"),
        "{said}"
    );
    assert_eq!(flood("globex", 1).await, "1 artifacts");
    let rig = Rig::for_plugin("evil")
        .limits(|limits| limits.artifact_calls = Some(2))
        .build()
        .await;
    let output = rig
        .call("acme", "artifact_flood", json!({"n": 3}))
        .await
        .unwrap();
    let said = text_of(&output);
    assert!(
        said.contains("refused after 2") && said.contains("artifact_calls"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_points_to_its_artifact_by_a_link() {
    let rig = Rig::for_plugin("evil").build().await;
    let args = json!({"operation": "put", "value": "x", "name": "a.txt"});
    let output = rig.call("acme", "artifact", args).await.unwrap();
    let id = output.structured.as_ref().unwrap()["result"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(matches!(
        &output.content[1],
        OutputBlock::ResourceLink { uri, name, .. } if *uri == format!("artifact:{id}") && name == "a.txt"
    ));
    // It opens nothing where a plugin has no business.
    let error = rig
        .call(
            "acme",
            "artifact",
            json!({"operation": "put", "value": "x", "mime_type": "x"}),
        )
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArguments);
}

#[tokio::test]
async fn over_http_an_artifact_is_its_owners_to_save_and_nothing_to_anybody_else() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let base = "base = \"http://127.0.0.1:9\"\nallow_http = true\nallow_loopback = true";
    let host = Host::with()
        .data()
        .plugin("evil")
        .config(&format!(
            "[connections.echo]\n{base}\n[connections.billing]\n{base}\n[tenants.acme]\n[tenants.globex]"
        ))
        .issuer(&issuer)
        .start();
    let token =
        |tenant: &str, subject: &str| issuer.mint(&json!({"tenantId": tenant, "sub": subject}));
    let put = async |subject: &str, personal: bool| {
        let args = json!({
            "operation": "put", "personal": personal, "name": "<é>.html", "mime_type": "text/html",
            "value": "<script>", "repeat": 100_000,
        });
        let request = reqwest::Client::new()
            .post(host.at("/api/v1/tools/artifact/call"))
            .bearer_auth(token("acme", subject))
            .json(&json!({"arguments": args}));
        let answer = json_of(request).await;
        let uri = answer["content"][1]["uri"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"));
        uri.strip_prefix("artifact:").unwrap().to_owned()
    };
    let fetch = async |id: &str, tenant: &str, subject: &str| {
        let request = reqwest::Client::new().get(host.at(&format!("/api/v1/artifacts/{id}")));
        request
            .bearer_auth(token(tenant, subject))
            .send()
            .await
            .unwrap()
    };
    let (shared, own) = (put("ada", false).await, put("ada", true).await);
    for (id, subject) in [(&shared, "ada"), (&own, "ada"), (&shared, "bob")] {
        let response = fetch(id, "acme", subject).await;
        assert_eq!(response.status(), 200);
        for (name, value) in [
            ("content-type", "text/html"),
            (
                "content-disposition",
                "attachment; filename*=UTF-8''%3C%C3%A9%3E.html",
            ),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(response.headers()[name], value);
        }
        assert_eq!(response.bytes().await.unwrap().len(), 800_000);
    }
    let unknown = fetch(&"0".repeat(32), "acme", "ada").await;
    assert_eq!(unknown.status(), 404);
    let unknown: Value = unknown.json().await.unwrap();
    for (id, tenant, subject) in [
        (own.as_str(), "acme", "bob"),
        (&own, "globex", "ada"),
        (&shared, "globex", "ada"),
        ("..%2facme", "acme", "ada"),
        ("%00", "acme", "ada"),
        (&shared[1..], "acme", "ada"),
    ] {
        let response = fetch(id, tenant, subject).await;
        assert_eq!(response.status(), 404, "{id}");
        assert_eq!(response.json::<Value>().await.unwrap(), unknown, "{id}");
    }
    let bare = reqwest::get(host.at(&format!("/api/v1/artifacts/{shared}")))
        .await
        .unwrap();
    assert_eq!(bare.status(), 401);
    // It lasts as long as it was said to.
    let host = host.killed_and_started();
    let request = reqwest::Client::new().get(host.at(&format!("/api/v1/artifacts/{shared}")));
    let response = request
        .bearer_auth(token("acme", "bob"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}
