//! What a guest sees of the host, of other calls and of other tenants: nothing. What a file may be that asks to be a
//! plugin: not much (T18 to T20, T31, T35, T36, T38, T42, N19).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use toolhost_egress::Egress;
use toolhost_identity::Binding;
use toolhost_net::Network;
use toolhost_policy::{ErrorCode, Grant, Limit, Limits, LimitsPatch, PluginName};
use toolhost_sandbox::{Sandbox, SandboxError, SandboxSettings, inspect};
use toolhost_store::MemoryKv;
use toolhost_tests::{Callers, LogCapture, Recorder, Rig, guests, text_of};
use toolhost_tools::{Answer, CallOptions, CallOutcome, Catalogue, ClientCapabilities, ModelArgs, Resume, Tools};

/// A sandbox, and the egress that it has.
fn sandbox(change: impl FnOnce(&mut LimitsPatch)) -> (Sandbox, Arc<Egress>) {
    sandbox_with(None, change)
}

fn sandbox_with(
    cache: Option<std::path::PathBuf>,
    change: impl FnOnce(&mut LimitsPatch),
) -> (Sandbox, Arc<Egress>) {
    let mut patch = LimitsPatch::default();
    change(&mut patch);
    let network = Arc::new(Network::system().unwrap());
    let egress = Arc::new(Egress::new(network, BTreeMap::new(), Arc::new(Recorder::default())).unwrap());
    let settings = SandboxSettings {
        slots: 4,
        limits: Limits::default().set(&patch).unwrap(),
        cache: Some(cache.unwrap_or_else(|| guests::target().join("tests-cache"))),
        ..SandboxSettings::default()
    };
    let sandbox = Sandbox::new(settings, Arc::clone(&egress), Arc::new(MemoryKv::default())).unwrap();
    (sandbox, egress)
}

fn grant(name: &str) -> Grant {
    Grant { plugin: PluginName::parse(name).unwrap(), connections: BTreeMap::new(), limits: Limits::default() }
}

fn is_one_sentence(text: &str) -> bool {
    !text.is_empty() && text.len() < 1_200 && !text.chars().any(char::is_control)
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
    rig.call("acme", "print_flood", json!({"n": 200_000})).await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = async |tool: &str, args: Value| rig.call("acme", tool, args).await.unwrap().structured.unwrap();
    assert_eq!(seen("read_env", json!({})).await, json!({"variables": []}));
    let arguments = seen("read_args", json!({})).await;
    assert!(!arguments.to_string().contains("exact") && !arguments.to_string().contains("isolation"), "{arguments}");
    assert_eq!(seen("read_files", json!({})).await, json!({"seen": [], "stdin_bytes": 0}));
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
        .args(["inner_process", "--exact", "--ignored", "--nocapture", "--test-threads", "1"])
        .env("TOOLHOST_CANARY", CANARY)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(CANARY.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("INNER DONE"), "{out}\n{err}");
    for stream in [&out, &err] {
        assert!(!stream.contains("jsonrpc") && !stream.contains("forged") && !stream.contains("zzzz"), "{stream}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_are_too_coarse_to_time_anything_and_begin_with_the_call() {
    let rig = Rig::of("evil").build().await;
    for _ in 0..3 {
        let seen = rig.call("acme", "clock", json!({})).await.unwrap().structured.unwrap();
        for clock in ["wall_nanoseconds", "monotonic_nanoseconds"] {
            assert_eq!(seen[clock].as_u64().unwrap() % 1_000_000, 0, "{seen}");
        }
        // A thousand readings in a row take some microseconds: a finer clock would step at each of them.
        assert!(seen["monotonic_steps"].as_u64().unwrap() < 100, "{seen}");
    }
    let random = async || rig.call("acme", "random", json!({})).await.unwrap().structured.unwrap()["value"].clone();
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
        lines.into_iter().filter(|line| line.fields.contains("plugin=evil")).collect::<Vec<_>>()
    };
    let injected = lines("log_inject", json!({})).await;
    assert_eq!(injected.len(), 3, "one event a line, whatever it holds: {injected:?}");
    for line in &injected {
        let deceptive = |c: char| {
            c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
        };
        assert!(!line.fields.contains(deceptive), "{:?}", line.fields);
        assert_eq!((line.level, line.target.as_str()), (tracing::Level::INFO, "guest"));
        assert!(line.fields.contains("untrusted="), "{line:?}");
    }
    let printed = lines("print_stdout", json!({})).await;
    assert!(printed.len() == 1 && printed[0].fields.contains("jsonrpc"), "{printed:?}");
    let flood = lines("log_flood", json!({"n": 5_000})).await;
    assert!((1_000..=1_002).contains(&flood.len()), "{} lines were kept", flood.len());
    let long = lines("log_long", json!({"n": 1_000_000})).await;
    assert!(long.len() == 1 && long[0].fields.len() < 5_000, "{}", long[0].fields.len());
    let unended = lines("print_flood", json!({"n": 1_000_000})).await;
    assert!(unended.iter().map(|line| line.fields.len()).sum::<usize>() < 200_000, "{} lines", unended.len());
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
    let (sandbox, egress) = sandbox(|_| {});
    let plugin = sandbox.load(&guests::component("evil")).await.unwrap();
    let serve = async |name: &str| {
        let catalogue = Catalogue::build(vec![(plugin.clone(), grant(name))], 1).await.unwrap();
        Arc::new(Tools::new(catalogue, Arc::clone(&egress), Arc::new(Recorder::default())).unwrap())
    };
    let callers = Callers::of(&["acme", "globex"], "http://127.0.0.1/mcp").await;
    Kept { tools: serve("evil").await, other: serve("evil-too").await, callers }
}

async fn kv(tools: &Tools, binding: &Binding, args: Value) -> Result<Value, String> {
    let Value::Object(members) = args else { panic!() };
    match tools.call(binding, "kv", ModelArgs::new(members), CallOptions::default()).await {
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
    assert_eq!(kv(&kept.tools, &bob, get("k", false)).await.unwrap()["value"], "shared-of-acme");
    for (tools, who, personal) in [(&kept.tools, &eve, false), (&kept.tools, &eve, true), (&kept.tools, &bob, true), (&kept.other, &ada, false), (&kept.other, &ada, true)] {
        assert_eq!(kv(tools, who, get("k", personal)).await.unwrap(), Value::Null);
        let list = json!({"operation": "list", "key": "", "personal": personal});
        assert_eq!(kv(tools, who, list).await.unwrap()["keys"], json!([]));
    }
    let long = "k".repeat(513);
    for key in [
        "../acme/k", "acme/k", "/acme/k", "acme\u{0}evil\u{0}k", "..\\acme\\k", "%2e%2e/acme/k", "k\u{0}", "acme:evil:k", "*", "", &long,
        "acme/evil/shared/k", "\u{212a}", "k\u{301}",
    ] {
        for operation in ["get", "list", "delete"] {
            let args = json!({"operation": operation, "key": key, "cursor": if operation == "list" { Some(key) } else { None }});
            let said = format!("{:?}", kv(&kept.tools, &eve, args).await);
            assert!(!said.contains("acme\"") && !said.contains("shared-of-acme") && !said.contains("true"), "{key:?}: {said}");
        }
    }
    assert!(kv(&kept.tools, &eve, json!({"operation": "put", "key": long, "value": "x"})).await.is_err());
    assert!(kv(&kept.tools, &eve, json!({"operation": "put", "key": "", "value": "x"})).await.is_err());
    // Byte by byte: no normal form joins two keys.
    kv(&kept.tools, &eve, json!({"operation": "put", "key": "\u{e9}", "value": "one"})).await.unwrap();
    assert_eq!(kv(&kept.tools, &eve, get("e\u{301}", false)).await.unwrap(), Value::Null);
    assert_eq!(kv(&kept.tools, &ada, get("k", false)).await.unwrap()["value"], "shared-of-acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_plugin_of_one_tenant_fills_its_own_space_and_nobody_elses() {
    let kept = kept().await;
    let (ada, eve) = (kept.callers.binding("acme", "ada").await, kept.callers.binding("globex", "eve").await);
    let args = ModelArgs::new(json!({"n": 1_500}).as_object().unwrap().clone());
    let flood = kept.tools.call(&ada, "kv_flood", args, CallOptions::default()).await;
    let Ok(CallOutcome::Complete(output)) = flood else { panic!("{flood:?}") };
    assert!(text_of(&output).contains("refused after 1000 keys") && text_of(&output).contains("kv_calls"), "{}", text_of(&output));
    let put = |key: usize, bytes: u32| json!({"operation": "put", "key": format!("big-{key}"), "value": "x", "repeat": bytes});
    assert!(kv(&kept.tools, &ada, put(0, (256 << 10) + 1)).await.unwrap_err().contains("262144"));
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
        client: ClientCapabilities { elicitation: true, sampling: true },
        resume: Some(Resume { answers, state: state.into() }),
        ..CallOptions::default()
    }
}

fn able() -> CallOptions {
    CallOptions { client: ClientCapabilities { elicitation: true, sampling: true }, ..CallOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_once_by_its_own_caller_for_its_own_arguments() {
    let kept = kept().await;
    let (ada, bob, eve) =
        (kept.callers.binding("acme", "ada").await, kept.callers.binding("acme", "bob").await, kept.callers.binding("globex", "ada").await);
    let args = |message: &str| ModelArgs::new(json!({"message": message, "state": "kept-by-the-guest-only"}).as_object().unwrap().clone());
    let yes = json!([{"id": "confirm", "action": "accept", "content": {"yes": true}}]);
    let asked = async || match kept.tools.call(&ada, "elicit", args("sure?"), able()).await.unwrap() {
        CallOutcome::InputRequired(asked) => asked,
        other => panic!("{other:?}"),
    };
    let first = asked().await;
    assert_eq!((first.requests[0].id.as_str(), first.requests[0].kind.as_str()), ("confirm", "elicitation"));
    assert!(!first.state.contains("kept-by") && toolhost_tests::LeakDetector::new(["kept-by-the-guest-only"]).find(first.state.as_bytes()).is_none());
    let refused = async |tools: &Tools, binding: &Binding, tool: &str, message: &str, state: &str| {
        let error = tools.call(binding, tool, args(message), with_answers(state, yes.clone())).await.unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (ErrorCode::InvalidRequest, Some("state")), "{error}");
    };
    refused(&kept.tools, &eve, "elicit", "sure?", &first.state).await;
    refused(&kept.tools, &bob, "elicit", "sure?", &first.state).await;
    refused(&kept.tools, &ada, "elicit", "another?", &first.state).await;
    refused(&kept.tools, &ada, "sample", "sure?", &first.state).await;
    refused(&kept.other, &ada, "elicit", "sure?", &first.state).await;
    for at in [0, 10, 30, 40, first.state.len() - 1] {
        let mut forged = first.state.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        refused(&kept.tools, &ada, "elicit", "sure?", &String::from_utf8(forged).unwrap()).await;
    }
    let (padded, long) = (format!("{}=", first.state), "A".repeat(1 << 20));
    for forged in ["", "AAAA", &first.state[..first.state.len() - 4], &padded, &long] {
        refused(&kept.tools, &ada, "elicit", "sure?", forged).await;
    }
    // After all that it is still good, once.
    let outcome = kept.tools.call(&ada, "elicit", args("sure?"), with_answers(&first.state, yes.clone())).await.unwrap();
    let CallOutcome::Complete(output) = outcome else { panic!("{outcome:?}") };
    let seen = output.structured.unwrap();
    assert_eq!((&seen["action"], &seen["state"], &seen["round"]), (&json!("accept"), &json!("kept-by-the-guest-only"), &json!(1)));
    refused(&kept.tools, &ada, "elicit", "sure?", &first.state).await;
    // Two at once with one state: one of them is first.
    let again = asked().await;
    let resume = || kept.tools.call(&ada, "elicit", args("sure?"), with_answers(&again.state, yes.clone()));
    let (a, b) = tokio::join!(resume(), resume());
    assert_eq!(a.is_ok() as u8 + b.is_ok() as u8, 1, "{a:?} {b:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_model_is_asked_and_answers_within_the_same_bounds() {
    let kept = kept().await;
    let ada = kept.callers.binding("acme", "ada").await;
    let args = |bytes: usize| {
        ModelArgs::new(json!({"message": "think", "state": "s", "state_bytes": bytes}).as_object().unwrap().clone())
    };
    let error = kept.tools.call(&ada, "sample", args(0), CallOptions::default()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InputUnsupported, "a client that cannot is told so at once: {error}");
    let CallOutcome::InputRequired(asked) = kept.tools.call(&ada, "sample", args(0), able()).await.unwrap() else { panic!() };
    assert_eq!(asked.requests[0].kind, "sampling");
    let content = json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "a thought"}});
    let answers = json!([{"id": asked.requests[0].id, "action": "accept", "content": content}]);
    let outcome = kept.tools.call(&ada, "sample", args(0), with_answers(&asked.state, answers)).await.unwrap();
    assert!(format!("{outcome:?}").contains("a thought"), "{outcome:?}");
    // A state that is no state any more but a store.
    let error = kept.tools.call(&ada, "elicit", args(100_000), able()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::PluginFailed, "{error}");
}

// ---- what may become a plugin

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_misdescribes_itself_is_not_served_and_the_reason_is_one_sentence() {
    let (sandbox, _) = sandbox(|limits| limits.cpu_ms = Some(300));
    for (name, says) in [
        ("liar-duplicate", "twice"),
        ("liar-failing", "there is nothing to describe"),
        ("liar-many", ""),
        ("liar-name", "name"),
        ("liar-schema", "JSON"),
        ("liar-schema-huge", ""),
        ("liar-schema-not-an-object", "object"),
        ("liar-spinning", "cpu_ms"),
        ("liar-tenant", "tenant_id"),
        ("liar-trap", "trapped"),
    ] {
        let plugin = sandbox.load(&guests::component(name)).await.unwrap();
        let started = Instant::now();
        let error = Catalogue::build(vec![(plugin, grant("liar"))], 1).await.unwrap_err().to_string();
        assert!(is_one_sentence(&error) && error.contains(says) && error.contains("plugin liar"), "{name}: {error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{name}");
    }
    assert_eq!(sandbox.free_slots(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hides_in_a_description_is_not_shown_and_no_name_is_taken_twice() {
    let (sandbox, egress) = sandbox(|_| {});
    let load = async |name: &str| sandbox.load(&guests::component(name)).await.unwrap();
    let catalogue = Catalogue::build(vec![(load("liar-text").await, grant("liar"))], 1).await.unwrap();
    let tools = Tools::new(catalogue, egress, Arc::new(Recorder::default())).unwrap();
    let callers = Callers::of(&["acme"], "http://127.0.0.1/mcp").await;
    let page = tools.list(&callers.binding("acme", "ada").await, None).unwrap();
    let description = &page.tools[0].description;
    assert!(description.starts_with("harmless") && description.is_ascii() && !description.contains('\u{1b}'), "{description:?}");
    let both = vec![(load("evil").await, grant("evil")), (load("evil").await, grant("evil-too"))];
    let error = Catalogue::build(both, 1).await.unwrap_err().to_string();
    assert!(error.contains("evil and again by plugin evil-too"), "{error}");
    let twins = vec![(load("echo").await, grant("echo")), (load("liar-text").await, grant("echo"))];
    assert!(Catalogue::build(twins, 1).await.unwrap_err().to_string().contains("named twice"));
}

/// A core module with the types of our contract.
fn typed(wat: &str) -> Vec<u8> {
    let mut module = wat::parse_str(wat).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (package, _) = resolve.push_dir(root.join("wit")).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8).unwrap();
    module
}

/// The exports that the contract asks for; `describe` does what is given, and then returns an empty list.
fn plugin(items: &str, describe: &str) -> Vec<u8> {
    plugin_with("(memory (export \"memory\") 1)", items, describe)
}

fn plugin_with(memory: &str, items: &str, describe: &str) -> Vec<u8> {
    let eleven = "i32 ".repeat(11);
    typed(&format!(
        "(module {memory} {items}
           (func (export \"toolhost:plugin/tools@0.1.0#describe\") (result i32) {describe} (i32.const 64))
           (func (export \"toolhost:plugin/tools@0.1.0#invoke\") (param {eleven}) (result i32) unreachable)
           (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_in_text_can_be_a_plugin_so_what_follows_shows_something() {
    let (sandbox, _) = sandbox(|_| {});
    let plugin = sandbox.load(&plugin("", "")).await.unwrap();
    assert!(plugin.describe().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn growth_and_starting_code_stand_under_the_limits_of_a_call() {
    let (sandbox, _) = sandbox(|limits| limits.cpu_ms = Some(200));
    let limit_of = |error: SandboxError| match error {
        SandboxError::Limit { limit, .. } => limit,
        other => panic!("{other}"),
    };
    let describe = async |bytes: Vec<u8>| sandbox.load(&bytes).await.unwrap().describe().await.unwrap_err();
    let started = Instant::now();
    let spins = plugin("(func $spin (loop (br 0))) (start $spin)", "");
    assert_eq!(limit_of(describe(spins).await), Limit::cpu_ms);
    let grows = |count: u32| plugin("(table $t 1 funcref)", &format!("(if (i32.eq (table.grow $t (ref.null func) (i32.const {count})) (i32.const -1)) (then unreachable))"));
    assert_eq!(limit_of(describe(grows(100_000)).await), Limit::table_elements);
    assert!(sandbox.load(&grows(1_000)).await.unwrap().describe().await.is_ok());
    let memory = |count: u32| plugin("", &format!("(if (i32.eq (memory.grow (i32.const {count})) (i32.const -1)) (then unreachable))"));
    assert_eq!(limit_of(describe(memory(1_024)).await), Limit::memory_bytes);
    assert!(sandbox.load(&memory(500)).await.unwrap().describe().await.is_ok());
    // One instruction that would take seconds: it is interrupted, or it is refused.
    let fill = plugin_with("(memory (export \"memory\") 1000)", "", "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65000000)) (br 0))");
    assert_eq!(limit_of(describe(fill).await), Limit::cpu_ms);
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(sandbox.free_slots(), 4);
}

async fn never_runs(sandbox: &Sandbox, name: &str, bytes: &[u8]) -> String {
    let result = match sandbox.load(bytes).await {
        Ok(plugin) => plugin.describe().await.map(|tools| format!("{} tools", tools.len())),
        Err(error) => Err(error),
    };
    let error = result.expect_err(name).to_string();
    assert!(is_one_sentence(&error), "{name}: {error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_of_anything_is_refused_before_it_costs_anything() {
    let (sandbox, _) = sandbox(|_| {});
    let many = |item: &str, count: usize| (0..count).map(|_| item).collect::<String>();
    for (name, bytes) in [
        ("tables", plugin(&many("(table 1 funcref)", 70), "")),
        ("memories", plugin(&many("(memory 1)", 20), "")),
        ("a large table", plugin("(table 100001 funcref)", "")),
        ("a table without measure", plugin("(table 4000000000 funcref)", "")),
        ("a large memory", plugin_with("(memory (export \"memory\") 1025)", "", "")),
        ("a whole memory", plugin_with("(memory (export \"memory\") 65536)", "", "")),
        ("globals", plugin(&many("(global (mut i64) (i64.const 0))", 200_000), "")),
        ("shared memory", {
            let text = "(module (memory 1 1 shared))";
            wat::parse_str(text).unwrap()
        }),
    ] {
        let started = Instant::now();
        never_runs(&sandbox, name, &bytes).await;
        assert!(started.elapsed() < Duration::from_secs(20), "{name}");
    }
    let instances = format!("(component (core module $m) {})", many("(core instance (instantiate $m))", 200));
    never_runs(&sandbox, "instances", &wat::parse_str(instances).unwrap()).await;
    // Each type holds the one before twice: 2 to the 64 of them, in two hundred bytes.
    let bomb: String = (1..64).map(|n| format!("(type $t{n} (tuple $t{0} $t{0}))", n - 1)).collect();
    let bomb = format!("(component (type $t0 (tuple u8 u8)) {bomb} (import \"f\" (func (param \"x\" $t63))))");
    never_runs(&sandbox, "type bomb", &wat::parse_str(bomb).unwrap()).await;
    let nested = (0..200).fold(String::new(), |inner, _| format!("(component {inner})"));
    never_runs(&sandbox, "nested components", &wat::parse_str(nested).unwrap()).await;
    let nested_type = (0..150).fold("u8".to_owned(), |inner, _| format!("(list {inner})"));
    let nested_type = format!("(component (import \"f\" (func (param \"x\" {nested_type}))))");
    if let Ok(bytes) = wat::parse_str(nested_type) {
        never_runs(&sandbox, "nested types", &bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_nobody_offers_is_named() {
    let (sandbox, _) = sandbox(|_| {});
    for import in ["evil:world/take-over@1.0.0", "wasi:keyvalue/store@0.2.0", "wasi:http/incoming-handler@0.2.0", "toolhost:plugin/secrets@0.1.0", "toolhost:plugin/http@9.0.0"] {
        let text = format!("(component (import \"{import}\" (instance (export \"f\" (func)))))");
        let bytes = wat::parse_str(text).unwrap();
        let error = never_runs(&sandbox, import, &bytes).await;
        assert!(error.contains(import), "{error}");
        let obstacles = inspect(&bytes, &Limits::default()).obstacles.join("; ");
        assert!(obstacles.contains(import), "{obstacles}");
    }
    // The right name with another type.
    let text = "(component (import \"toolhost:plugin/log@0.1.0\" (instance (export \"emit\" (func (param \"x\" u64))))))";
    let error = never_runs(&sandbox, "log", &wat::parse_str(text).unwrap()).await;
    assert!(error.contains("log"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_component_is_refused_whatever_it_pretends() {
    let cache = tempfile::tempdir().unwrap();
    let (sandbox, _) = sandbox_with(Some(cache.path().join("cache")), |_| {});
    let large = vec![0; 33 << 20];
    assert!(never_runs(&sandbox, "33 MiB", &large).await.contains("component_bytes"));
    let mut component = guests::component("echo");
    component.resize(33 << 20, 0);
    assert!(never_runs(&sandbox, "33 MiB of component", &component).await.contains("component_bytes"));
    let core = wat::parse_str("(module (func (export \"toolhost:plugin/tools@0.1.0#describe\")))").unwrap();
    assert!(never_runs(&sandbox, "core", &core).await.contains("component types"));
    let whole = plugin("", "");
    for cut in [0, 1, 4, 7, 8, 9, 100, whole.len() / 2, whole.len() - 1] {
        never_runs(&sandbox, &format!("cut at {cut}"), &whole[..cut]).await;
    }
    for at in (8..whole.len()).step_by(whole.len() / 100) {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        // It may still be one; what matters is that the host answers.
        if let Ok(plugin) = sandbox.load(&changed).await {
            let _ = plugin.describe().await;
        }
    }
    assert_eq!(sandbox.free_slots(), 4);
    // Native code, taken from this host's own cache: with and without what authenticates it there.
    sandbox.load(&whole).await.unwrap();
    let artefact = std::fs::read_dir(cache.path().join("cache")).unwrap().flatten().map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "cwasm")).unwrap();
    let bytes = std::fs::read(artefact).unwrap();
    let error = sandbox.load(&bytes[32..]).await.unwrap_err();
    assert_eq!(error, SandboxError::Precompiled);
    never_runs(&sandbox, "artefact", &bytes).await;
}
