//! What a guest sees of the host, of other calls and of other tenants: nothing (T18 to T20, T29, T42).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use toolhost_egress::Egress;
use toolhost_identity::Binding;
use toolhost_net::Network;
use toolhost_policy::{ErrorCode, Grant, Limits, PluginName};
use toolhost_sandbox::{Sandbox, SandboxSettings};
use toolhost_tests::{Callers, LogCapture, Recorder, Rig, guests, text_of, values};
use toolhost_tools::{
    Answer, CallOptions, CallOutcome, Catalogue, ClientCapabilities, ModelArgs, Resume, Tools,
};

/// A sandbox, and the egress that it has.
fn sandbox() -> (Sandbox, Arc<Egress>) {
    let network = Arc::new(Network::system().unwrap());
    let egress = Arc::new(Egress::new(network, BTreeMap::new(), Arc::new(Recorder::default())).unwrap());
    let settings = SandboxSettings {
        slots: 4,
        cache: Some(guests::target().join("tests-cache")),
        ..SandboxSettings::default()
    };
    let sandbox = Sandbox::new(settings, Arc::clone(&egress), values(&["acme", "globex"])).unwrap();
    (sandbox, egress)
}

fn grant(name: &str) -> Grant {
    Grant {
        plugin: PluginName::parse(name).unwrap(),
        connections: BTreeMap::new(),
        limits: Limits::default(),
    }
}

// ---- what is around a guest

const CANARY: &str = "CANARY-of-the-environment-4f1e";

/// Runs in a process of its own, with a canary in its environment, its arguments and its standard input.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_guest_sees_nothing_of_the_process_and_prints_nothing_into_its_output runs it"]
async fn inner_process() {
    let rig = Rig::of("evil").build().await;
    assert_eq!(std::env::var("TOOLHOST_CANARY").as_deref(), Ok(CANARY));
    for tool in ["print_stdout", "print_stderr"] {
        rig.call("acme", tool, json!({})).await.unwrap();
    }
    rig.call("acme", "print_flood", json!({"n": 200_000}))
        .await
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen =
        async |tool: &str, args: Value| rig.call("acme", tool, args).await.unwrap().structured.unwrap();
    assert_eq!(seen("read_env", json!({})).await, json!({"variables": []}));
    let arguments = seen("read_args", json!({})).await;
    assert!(
        !arguments.to_string().contains("exact") && !arguments.to_string().contains("isolation"),
        "{arguments}"
    );
    assert_eq!(
        seen("read_files", json!({})).await,
        json!({"seen": [], "stdin_bytes": 0})
    );
    let sockets = seen("open_socket", json!({"address": address})).await;
    assert!(!sockets.to_string().contains("opened"), "{sockets}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody connected");
    println!("INNER DONE");
}

#[test]
fn a_guest_sees_nothing_of_the_process_and_prints_nothing_into_its_output() {
    use std::io::Write;

    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "inner_process",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads",
            "1",
        ])
        .env("TOOLHOST_CANARY", CANARY)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(CANARY.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.contains("INNER DONE"),
        "{out}\n{err}"
    );
    for stream in [&out, &err] {
        assert!(
            !stream.contains("jsonrpc") && !stream.contains("forged") && !stream.contains("zzzz"),
            "{stream}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_are_too_coarse_to_time_anything_and_begin_with_the_call() {
    let rig = Rig::of("evil").build().await;
    for _ in 0..3 {
        let seen = rig
            .call("acme", "clock", json!({}))
            .await
            .unwrap()
            .structured
            .unwrap();
        for clock in ["wall_nanoseconds", "monotonic_nanoseconds"] {
            assert_eq!(seen[clock].as_u64().unwrap() % 1_000_000, 0, "{seen}");
        }
        // A thousand readings in a row take some microseconds: a finer clock would step at each of them.
        assert!(seen["monotonic_steps"].as_u64().unwrap() < 100, "{seen}");
    }
    let random = async || {
        rig.call("acme", "random", json!({}))
            .await
            .unwrap()
            .structured
            .unwrap()["value"]
            .clone()
    };
    assert_ne!(random().await, random().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_logs_cannot_forge_hide_or_flood() {
    let capture = LogCapture::install();
    let rig = Rig::of("evil").build().await;
    let lines = async |tool: &str, args: Value| {
        let before = capture.of("guest").len();
        rig.call("acme", tool, args).await.unwrap();
        let lines: Vec<_> = capture.of("guest").split_off(before);
        lines
            .into_iter()
            .filter(|line| line.fields.contains("plugin=evil"))
            .collect::<Vec<_>>()
    };
    let injected = lines("log_inject", json!({})).await;
    assert_eq!(
        injected.len(),
        3,
        "one event a line, whatever it holds: {injected:?}"
    );
    for line in &injected {
        let deceptive = |c: char| {
            c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
        };
        assert!(!line.fields.contains(deceptive), "{:?}", line.fields);
        assert_eq!(
            (line.level, line.target.as_str()),
            (tracing::Level::INFO, "guest")
        );
        assert!(line.fields.contains("untrusted="), "{line:?}");
    }
    let printed = lines("print_stdout", json!({})).await;
    assert!(
        printed.len() == 1 && printed[0].fields.contains("jsonrpc"),
        "{printed:?}"
    );
    let flood = lines("log_flood", json!({"n": 5_000})).await;
    assert!(
        (1_000..=1_002).contains(&flood.len()),
        "{} lines were kept",
        flood.len()
    );
    let long = lines("log_long", json!({"n": 1_000_000})).await;
    assert!(
        long.len() == 1 && long[0].fields.len() < 5_000,
        "{}",
        long[0].fields.len()
    );
    let unended = lines("print_flood", json!({"n": 1_000_000})).await;
    assert!(
        unended.iter().map(|line| line.fields.len()).sum::<usize>() < 200_000,
        "{} lines",
        unended.len()
    );
    // No level of a guest's choosing is one of the host's own targets.
    assert!(lines("log_text", json!({"level": "audit", "message": "x"})).await[0].target == "guest");
}

// ---- what is kept

struct Kept {
    tools: Arc<Tools>,
    other: Arc<Tools>,
    callers: Callers,
}

/// The same component twice, under two names, over one store.
async fn kept() -> Kept {
    let (sandbox, egress) = sandbox();
    let plugin = sandbox.load(&guests::component("evil")).await.unwrap();
    let serve = async |name: &str| {
        let catalogue = Catalogue::build(vec![(plugin.clone(), grant(name))], 1)
            .await
            .unwrap();
        Arc::new(Tools::new(catalogue, Arc::clone(&egress), Arc::new(Recorder::default())).unwrap())
    };
    let callers = Callers::of(&["acme", "globex"], "http://127.0.0.1/mcp").await;
    Kept {
        tools: serve("evil").await,
        other: serve("evil-too").await,
        callers,
    }
}

async fn kv(tools: &Tools, binding: &Binding, args: Value) -> Result<Value, String> {
    let Value::Object(members) = args else { panic!() };
    match tools
        .call(binding, "kv", ModelArgs::new(members), CallOptions::default())
        .await
    {
        Ok(CallOutcome::Complete(output)) => Ok(output.structured.unwrap()["result"].clone()),
        other => Err(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_another_tenant_plugin_or_person_cannot_be_spelled() {
    let kept = kept().await;
    let ada = kept.callers.binding("acme", "ada").await;
    let bob = kept.callers.binding("acme", "bob").await;
    let eve = kept.callers.binding("globex", "eve").await;
    let put = |personal: bool, value: &str| json!({"operation": "put", "key": "k", "value": value, "personal": personal});
    kv(&kept.tools, &ada, put(false, "shared-of-acme")).await.unwrap();
    kv(&kept.tools, &ada, put(true, "ada's own")).await.unwrap();
    let get = |key: &str, personal: bool| json!({"operation": "get", "key": key, "personal": personal});
    assert_eq!(
        kv(&kept.tools, &bob, get("k", false)).await.unwrap()["value"],
        "shared-of-acme"
    );
    for (tools, who, personal) in [
        (&kept.tools, &eve, false),
        (&kept.tools, &eve, true),
        (&kept.tools, &bob, true),
        (&kept.other, &ada, false),
        (&kept.other, &ada, true),
    ] {
        assert_eq!(kv(tools, who, get("k", personal)).await.unwrap(), Value::Null);
        let list = json!({"operation": "list", "key": "", "personal": personal});
        assert_eq!(kv(tools, who, list).await.unwrap()["keys"], json!([]));
    }
    let long = "k".repeat(513);
    for key in [
        "../acme/k",
        "acme/k",
        "/acme/k",
        "acme\u{0}evil\u{0}k",
        "..\\acme\\k",
        "%2e%2e/acme/k",
        "k\u{0}",
        "acme:evil:k",
        "*",
        "",
        &long,
        "acme/evil/shared/k",
        "\u{212a}",
        "k\u{301}",
    ] {
        for operation in ["get", "list", "delete"] {
            let args = json!({"operation": operation, "key": key, "cursor": if operation == "list" { Some(key) } else { None }});
            let said = format!("{:?}", kv(&kept.tools, &eve, args).await);
            assert!(
                !said.contains("acme\"") && !said.contains("shared-of-acme") && !said.contains("true"),
                "{key:?}: {said}"
            );
        }
    }
    assert!(
        kv(
            &kept.tools,
            &eve,
            json!({"operation": "put", "key": long, "value": "x"})
        )
        .await
        .is_err()
    );
    assert!(
        kv(
            &kept.tools,
            &eve,
            json!({"operation": "put", "key": "", "value": "x"})
        )
        .await
        .is_err()
    );
    // Byte by byte: no normal form joins two keys.
    kv(
        &kept.tools,
        &eve,
        json!({"operation": "put", "key": "\u{e9}", "value": "one"}),
    )
    .await
    .unwrap();
    assert_eq!(
        kv(&kept.tools, &eve, get("e\u{301}", false)).await.unwrap(),
        Value::Null
    );
    assert_eq!(
        kv(&kept.tools, &ada, get("k", false)).await.unwrap()["value"],
        "shared-of-acme"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_plugin_of_one_tenant_fills_its_own_space_and_nobody_elses() {
    let kept = kept().await;
    let (ada, eve) = (
        kept.callers.binding("acme", "ada").await,
        kept.callers.binding("globex", "eve").await,
    );
    let args = ModelArgs::new(json!({"n": 1_500}).as_object().unwrap().clone());
    let flood = kept
        .tools
        .call(&ada, "kv_flood", args, CallOptions::default())
        .await;
    let Ok(CallOutcome::Complete(output)) = flood else {
        panic!("{flood:?}")
    };
    assert!(
        text_of(&output).contains("refused after 1000 keys") && text_of(&output).contains("kv_calls"),
        "{}",
        text_of(&output)
    );
    let put = |key: usize, bytes: u32| json!({"operation": "put", "key": format!("big-{key}"), "value": "x", "repeat": bytes});
    assert!(
        kv(&kept.tools, &ada, put(0, (256 << 10) + 1))
            .await
            .unwrap_err()
            .contains("262144")
    );
    let mut written = 0;
    let refused = loop {
        match kv(&kept.tools, &ada, put(written, 256 << 10)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written <= 64, "16 MiB are 64 such values");
    };
    assert!(refused.contains("full"), "{refused}");
    assert!(kv(&kept.tools, &eve, put(0, 256 << 10)).await.is_ok());
    assert!(kv(&kept.other, &ada, put(0, 256 << 10)).await.is_ok());
}

// ---- what is asked

fn with_answers(state: &str, answers: Value) -> CallOptions {
    let answer = |answer: &Value| Answer {
        id: answer["id"].as_str().unwrap().into(),
        action: answer["action"].as_str().unwrap().into(),
        content: answer.get("content").cloned(),
    };
    let answers = answers.as_array().unwrap().iter().map(answer).collect();
    CallOptions {
        client: ClientCapabilities {
            elicitation: true,
            sampling: true,
        },
        resume: Some(Resume {
            answers,
            state: state.into(),
        }),
        ..CallOptions::default()
    }
}

fn able() -> CallOptions {
    CallOptions {
        client: ClientCapabilities {
            elicitation: true,
            sampling: true,
        },
        ..CallOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_once_by_its_own_caller_for_its_own_arguments() {
    let kept = kept().await;
    let (ada, bob, eve) = (
        kept.callers.binding("acme", "ada").await,
        kept.callers.binding("acme", "bob").await,
        kept.callers.binding("globex", "ada").await,
    );
    let args = |message: &str| {
        ModelArgs::new(
            json!({"message": message, "state": "kept-by-the-guest-only"})
                .as_object()
                .unwrap()
                .clone(),
        )
    };
    let yes = json!([{"id": "confirm", "action": "accept", "content": {"yes": true}}]);
    let asked = async || match kept
        .tools
        .call(&ada, "elicit", args("sure?"), able())
        .await
        .unwrap()
    {
        CallOutcome::InputRequired(asked) => asked,
        other => panic!("{other:?}"),
    };
    let first = asked().await;
    assert_eq!(
        (first.requests[0].id.as_str(), first.requests[0].kind.as_str()),
        ("confirm", "elicitation")
    );
    assert!(
        !first.state.contains("kept-by")
            && toolhost_tests::LeakDetector::new(["kept-by-the-guest-only"])
                .find(first.state.as_bytes())
                .is_none()
    );
    let refused = async |tools: &Tools, binding: &Binding, tool: &str, message: &str, state: &str| {
        let error = tools
            .call(binding, tool, args(message), with_answers(state, yes.clone()))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code, error.param.as_deref()),
            (ErrorCode::InvalidRequest, Some("state")),
            "{error}"
        );
    };
    refused(&kept.tools, &eve, "elicit", "sure?", &first.state).await;
    refused(&kept.tools, &bob, "elicit", "sure?", &first.state).await;
    refused(&kept.tools, &ada, "elicit", "another?", &first.state).await;
    refused(&kept.tools, &ada, "sample", "sure?", &first.state).await;
    refused(&kept.other, &ada, "elicit", "sure?", &first.state).await;
    for at in [0, 10, 30, 40, first.state.len() - 1] {
        let mut forged = first.state.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        refused(
            &kept.tools,
            &ada,
            "elicit",
            "sure?",
            &String::from_utf8(forged).unwrap(),
        )
        .await;
    }
    let (padded, long) = (format!("{}=", first.state), "A".repeat(1 << 20));
    for forged in ["", "AAAA", &first.state[..first.state.len() - 4], &padded, &long] {
        refused(&kept.tools, &ada, "elicit", "sure?", forged).await;
    }
    // After all that it is still good, once.
    let outcome = kept
        .tools
        .call(
            &ada,
            "elicit",
            args("sure?"),
            with_answers(&first.state, yes.clone()),
        )
        .await
        .unwrap();
    let CallOutcome::Complete(output) = outcome else {
        panic!("{outcome:?}")
    };
    let seen = output.structured.unwrap();
    assert_eq!(
        (&seen["action"], &seen["state"], &seen["round"]),
        (&json!("accept"), &json!("kept-by-the-guest-only"), &json!(1))
    );
    refused(&kept.tools, &ada, "elicit", "sure?", &first.state).await;
    // Two at once with one state: one of them is first.
    let again = asked().await;
    let resume = || {
        kept.tools.call(
            &ada,
            "elicit",
            args("sure?"),
            with_answers(&again.state, yes.clone()),
        )
    };
    let (a, b) = tokio::join!(resume(), resume());
    assert_eq!(a.is_ok() as u8 + b.is_ok() as u8, 1, "{a:?} {b:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_model_is_asked_and_answers_within_the_same_bounds() {
    let kept = kept().await;
    let ada = kept.callers.binding("acme", "ada").await;
    let args = |bytes: usize| {
        ModelArgs::new(
            json!({"message": "think", "state": "s", "state_bytes": bytes})
                .as_object()
                .unwrap()
                .clone(),
        )
    };
    let error = kept
        .tools
        .call(&ada, "sample", args(0), CallOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.code,
        ErrorCode::InputUnsupported,
        "a client that cannot is told so at once: {error}"
    );
    let CallOutcome::InputRequired(asked) = kept.tools.call(&ada, "sample", args(0), able()).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(asked.requests[0].kind, "sampling");
    let content =
        json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "a thought"}});
    let answers = json!([{"id": asked.requests[0].id, "action": "accept", "content": content}]);
    let outcome = kept
        .tools
        .call(&ada, "sample", args(0), with_answers(&asked.state, answers))
        .await
        .unwrap();
    assert!(format!("{outcome:?}").contains("a thought"), "{outcome:?}");
    // A state that is no state any more but a store.
    let error = kept
        .tools
        .call(&ada, "elicit", args(100_000), able())
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::PluginFailed, "{error}");
}
