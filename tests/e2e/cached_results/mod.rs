//! Results that are given again for an equal call, and everything that makes two calls unequal
//! (A13, T41).

mod credentials;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use toolhost_audit::Event;
use toolhost_harness::{
    Callers, Host, Issuer, Rig, RigBuilder, Upstream, connection, mcp, text_of,
};
use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_policy::{AuthPlacement, ErrorCode, PublicError};
use toolhost_tools::{CallOptions, CallOutcome, ClientCapabilities, InputResponse, Resume};

struct World {
    upstream: Upstream,
    rig: Rig,
}

impl World {
    async fn start() -> Self {
        Self::with(|rig| rig).await
    }

    async fn with(change: impl FnOnce(RigBuilder) -> RigBuilder) -> Self {
        let upstream = Upstream::start(Router::new().route("/echo", get(|| async { "ok" }))).await;
        let rig = Rig::for_plugin("evil")
            .connection(connection("echo", &upstream.url()))
            .credential("acme", "echo", "tok-acme-0123456789")
            .credential("globex", "echo", "tok-globex-0123456789");
        let rig = change(rig).build().await;
        Self { upstream, rig }
    }

    async fn call(&self, tenant: &str, tool: &str, args: Value) -> Result<String, PublicError> {
        let output = self.rig.call(tenant, tool, args).await?;
        Ok(text_of(&output))
    }

    async fn call_as(
        &self,
        binding: &Binding,
        tool: &str,
        args: Value,
    ) -> Result<CallOutcome, PublicError> {
        self.rig
            .call_as(binding, tool, args, CallOptions::default())
            .await
    }

    /// How many requests arrived.
    fn asked(&self) -> usize {
        self.upstream.seen().len()
    }

    fn outcomes(&self) -> Vec<String> {
        let events = self.rig.audit.events().into_iter();
        events
            .filter_map(|event| match event {
                Event::CallFinished(end) => Some(end.outcome),
                _ => None,
            })
            .collect()
    }
}

fn q(text: &str) -> Value {
    json!({ "q": text })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equal_call_is_answered_from_memory_and_recorded_as_such() {
    let world = World::start().await;
    let more = |more: &str| serde_json::from_str::<Value>(more).unwrap();
    let first = world
        .call(
            "acme",
            "cached_shared",
            more(r#"{"q": "a", "more": {"x": 1, "y": [1.0, "é"]}}"#),
        )
        .await
        .unwrap();
    let second = world
        .call(
            "acme",
            "cached_shared",
            more(r#"{"more": {"y": [1.0, "\u00e9"], "x": 1}, "q": "a"}"#),
        )
        .await
        .unwrap();
    assert_eq!((first, world.asked()), (second, 1));
    assert_eq!(world.outcomes(), ["ok", "cached"]);
    let started = |event: &Event| matches!(event, Event::CallStarted(_));
    assert_eq!(
        world
            .rig
            .audit
            .events()
            .iter()
            .filter(|event| started(event))
            .count(),
        2
    );
    for other in [
        q("b"),
        json!({"q": "a"}),
        json!({"q": "a", "more": {"x": 1, "y": ["é", 1]}}),
    ] {
        world.call("acme", "cached_shared", other).await.unwrap();
    }
    assert_eq!(world.asked(), 4, "other arguments are another call");
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_arguments_of_two_tenants_make_two_requests() {
    let world = World::start().await;
    for _ in 0..3 {
        for tenant in ["acme", "globex"] {
            world.call(tenant, "cached_shared", q("a")).await.unwrap();
        }
    }
    let seen = world.upstream.seen();
    let carried: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("authorization").unwrap())
        .collect();
    assert_eq!(
        carried,
        ["Bearer tok-acme-0123456789", "Bearer tok-globex-0123456789"]
    );
}

/// Where no credential tells them apart.
#[tokio::test(flavor = "multi_thread")]
async fn equal_calls_of_two_tenants_are_two_also_without_any_credential() {
    let upstream = Upstream::start(Router::new().route("/echo", get(|| async { "ok" }))).await;
    let open = |name: &str, base: &str| {
        let mut connection = connection(name, base);
        connection.auth = AuthPlacement::None;
        connection
    };
    let rig = Rig::for_plugin("evil")
        .connection(open("echo", &upstream.url()))
        .connection(open("billing", &upstream.url()))
        .build()
        .await;
    for tenant in ["acme", "globex", "acme", "globex"] {
        rig.call(tenant, "cached_shared", q("a")).await.unwrap();
    }
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_ask_for_it_is_never_kept_and_neither_is_anything_where_the_operator_says_so()
{
    let world = World::start().await;
    for _ in 0..2 {
        world.call("acme", "not_cached", q("a")).await.unwrap();
    }
    assert_eq!(world.asked(), 2);
    let world = World::with(RigBuilder::without_cache).await;
    for _ in 0..2 {
        world.call("acme", "cached_shared", q("a")).await.unwrap();
    }
    assert_eq!(world.asked(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_result_is_one_persons_and_a_persons_is_no_machines() {
    let world = World::start().await;
    let callers = Callers::new(&["acme"], "http://127.0.0.1/mcp").await;
    let (ada, bob) = (
        callers.binding("acme", "ada").await,
        callers.binding("acme", "bob").await,
    );
    drop(world.rig.binding("acme"));
    for _ in 0..2 {
        for caller in [&ada, &bob] {
            world
                .call_as(caller, "cached_personal", q("a"))
                .await
                .unwrap();
        }
    }
    assert_eq!(world.asked(), 2);
    for caller in [&ada, &bob] {
        world
            .call_as(caller, "cached_shared", q("a"))
            .await
            .unwrap();
    }
    assert_eq!(world.asked(), 3);
    let machine = callers.machine("acme", "robot").await;
    world
        .call_as(&machine, "cached_shared", q("a"))
        .await
        .unwrap();
    assert_eq!(world.asked(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_switch_nothing_of_before_is_found() {
    let world = World::start().await;
    drop(world.rig.binding("acme"));
    let acme = TenantId::parse("acme").unwrap();
    let directory = StaticDirectory::new([(acme.clone(), vec![])]).unwrap();
    let principal = Arc::new(Principal::development(
        &acme,
        LoopbackOnly::from_listeners(&[]).unwrap(),
    ));
    for (generation, asked) in [(1, 1), (1, 1), (2, 2), (3, 3), (2, 3)] {
        let binding =
            Binding::active(Arc::clone(&principal), &acme, generation, &directory).unwrap();
        world
            .call_as(&binding, "cached_shared", q("a"))
            .await
            .unwrap();
        assert_eq!(world.asked(), asked, "generation {generation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_failure_nor_a_question_is_kept_nor_what_follows_an_answer() {
    let world = World::start().await;
    for _ in 0..2 {
        let args = json!({"q": "a", "fail": true});
        world.call("acme", "cached_shared", args).await.unwrap_err();
    }
    assert_eq!(world.asked(), 2);
    let client = ClientCapabilities {
        elicitation: true,
        sampling: false,
    };
    let ask = async |resume| {
        let options = CallOptions {
            client,
            resume,
            ..CallOptions::default()
        };
        let args = json!({"message": "Go on?"});
        world
            .rig
            .call_with("acme", "elicit_cached", args, options)
            .await
            .unwrap()
    };
    for _ in 0..2 {
        let CallOutcome::InputRequired(asked) = ask(None).await else {
            panic!("it asks each time")
        };
        let answers = asked.requests.iter().map(|request| InputResponse {
            id: request.id.clone(),
            action: "accept".into(),
            content: Some(json!({"yes": true})),
        });
        let resume = Resume {
            answers: answers.collect(),
            state: asked.state,
        };
        assert!(matches!(ask(Some(resume)).await, CallOutcome::Complete(_)));
    }
    assert!(!world.outcomes().contains(&"cached".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_given_no_longer_than_the_tool_says() {
    let world = World::start().await;
    for asked in 1..=3 {
        world.call("acme", "cached_briefly", q("a")).await.unwrap();
        assert_eq!(world.asked(), asked);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_a_canonical_text_joins_are_two_calls() {
    let world = World::start().await;
    for id in [9_007_199_254_740_992_u64, 9_007_199_254_740_993] {
        let said = world
            .call("acme", "cached_shared", json!({"q": "a", "more": id}))
            .await
            .unwrap();
        assert!(said.ends_with(&id.to_string()), "{said}");
    }
    assert_eq!(world.asked(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_of_a_call_is_made_on_a_result_that_is_there() {
    let world = World::with(|rig| rig.tenant_limits(|limits| limits.calls_per_minute = 4)).await;
    for _ in 0..2 {
        world.call("acme", "cached_shared", q("a")).await.unwrap();
    }
    let args = json!({"q": "a", "tenant": "globex"});
    let error = world.call("acme", "cached_shared", args).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArguments);
    world.rig.audit.break_it();
    let error = world
        .call("acme", "cached_shared", q("a"))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::AuditUnavailable);
    let error = world
        .call("acme", "cached_shared", q("a"))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::RateLimitExceeded);
}

#[tokio::test]
async fn no_client_is_told_that_others_may_have_a_result() {
    let upstream = Upstream::start(Router::new().route("/echo", get(|| async { "ok" }))).await;
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let start = |tools: &str| {
        let loopback = "allow_http = true\nallow_loopback = true";
        Host::with()
            .plugin("evil")
            .config(&format!(
                "[connections.echo]\nbase = \"{}\"\n{loopback}\n[connections.billing]\nbase = \"http://127.0.0.1:9\"\n{loopback}\n[tenants.acme]\n[credentials.acme.echo]\nfile = \"acme.secret\"\n[credentials.acme.billing]\nfile = \"acme.secret\"\n{tools}",
                upstream.url()
            ))
            .file("acme.secret", "tok-acme-0123456789")
            .issuer(&issuer)
            .start()
    };
    let host = start("");
    for _ in 0..2 {
        let body = mcp::call("cached_shared", json!({"q": "a"}));
        let request = mcp::modern(host.url(), body, json!({})).bearer_auth(issuer.token("acme"));
        let answer = mcp::answer(request.send().await.unwrap()).await;
        assert_eq!(
            answer["result"]["content"][0]["text"], "ok null",
            "{answer}"
        );
        assert!(!answer.to_string().contains("public"), "{answer}");
    }
    assert_eq!(upstream.seen().len(), 1);
    drop(host);
    let host = start("[tools]\ncache = false");
    for _ in 0..2 {
        let body = mcp::call("cached_shared", json!({"q": "a"}));
        let request = mcp::modern(host.url(), body, json!({})).bearer_auth(issuer.token("acme"));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    assert_eq!(
        upstream.seen().len(),
        3,
        "the operator's word is the last one"
    );
}
