//! What may become a plugin: not a file that lies about its tools, is too large for anyone's use,
//! is native code, or asks for what nobody offers (T31, T35, T36, T38, N19).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use toolhost_egress::Egress;
use toolhost_harness::{Callers, Recorder, Rig, guests, text_of, values};
use toolhost_net::Network;
use toolhost_policy::{ErrorCode, Grant, Limit, Limits, LimitsPatch, PluginName};
use toolhost_sandbox::{Sandbox, SandboxError, SandboxSettings, inspect};
use toolhost_tools::{Catalogue, Tools};

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
    let egress =
        Arc::new(Egress::new(network, BTreeMap::new(), Arc::new(Recorder::default())).unwrap());
    let settings = SandboxSettings {
        slots: 4,
        limits: Limits::default().set(&patch).unwrap(),
        cache: Some(cache.unwrap_or_else(|| guests::target().join("tests-cache"))),
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

fn is_one_sentence(text: &str) -> bool {
    !text.is_empty() && text.len() < 1_200 && !text.chars().any(char::is_control)
}

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
        let error = Catalogue::build(vec![(plugin, grant("liar"))], 1)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            is_one_sentence(&error) && error.contains(says) && error.contains("plugin liar"),
            "{name}: {error}"
        );
        assert!(started.elapsed() < Duration::from_secs(28), "{name}");
    }
    assert_eq!(sandbox.free_slots(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_would_keep_things_for_all_its_callers_is_not_loaded() {
    let (sandbox, _) = sandbox(|_| {});
    let keeps = sandbox.load_adapter(&guests::component("segments")).await;
    let error = keeps.unwrap_err().to_string();
    assert!(
        is_one_sentence(&error)
            && error.contains("upstream-state alone")
            && error.contains("plugin/kv@"),
        "{error}"
    );
    for adapter in ["openapi", "mcp", "csv"] {
        assert!(
            sandbox
                .load_adapter(&guests::component(adapter))
                .await
                .is_ok(),
            "{adapter}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_names_no_tenant_even_to_a_tool_that_takes_any_argument() {
    let rig = Rig::for_plugin("echo").build().await;
    let said = rig
        .call("acme", "echo_raw", json!({"anything": 1}))
        .await
        .unwrap();
    assert!(text_of(&said).contains("anything"));
    for name in [
        "tenant",
        "tenant_id",
        "tenantId",
        "TENANT-ID",
        "active_tenant",
        "tenant id",
    ] {
        let error = rig
            .call("acme", "echo_raw", json!({ name: "globex" }))
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArguments, "{name}");
        assert!(!error.to_string().contains("globex"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hides_in_a_description_is_not_shown_and_no_name_is_taken_twice() {
    let (sandbox, egress) = sandbox(|_| {});
    let load = async |name: &str| sandbox.load(&guests::component(name)).await.unwrap();
    let catalogue = Catalogue::build(vec![(load("liar-text").await, grant("liar"))], 1)
        .await
        .unwrap();
    let tools = Tools::new(catalogue, egress, Arc::new(Recorder::default())).unwrap();
    let callers = Callers::new(&["acme"], "http://127.0.0.1/mcp").await;
    let page = tools
        .list(&callers.binding("acme", "ada").await, None)
        .await
        .unwrap();
    let description = &page.tools[0].description;
    assert!(
        description.starts_with("harmless")
            && description.is_ascii()
            && !description.contains('\u{1b}'),
        "{description:?}"
    );
    let both = vec![
        (load("evil").await, grant("evil")),
        (load("evil").await, grant("evil-too")),
    ];
    let error = Catalogue::build(both, 1).await.unwrap_err().to_string();
    assert!(
        error.contains("evil and again by plugin evil-too"),
        "{error}"
    );
    let twins = vec![
        (load("echo").await, grant("echo")),
        (load("liar-text").await, grant("echo")),
    ];
    assert!(
        Catalogue::build(twins, 1)
            .await
            .unwrap_err()
            .to_string()
            .contains("the name of two")
    );
}

/// A core module with the types of our contract.
fn typed(wat: &str) -> Vec<u8> {
    let mut module = wat::parse_str(wat).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let root = toolhost_harness::root();
    let (package, _) = resolve.push_dir(root.join("wit")).unwrap();
    let world = resolve.select_world(&[package], Some("tool")).unwrap();
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
    )
    .unwrap();
    module
}

/// The exports that the contract asks for; `describe` does what is given, and then returns an empty
/// list.
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
    let describe = async |bytes: Vec<u8>| {
        sandbox
            .load(&bytes)
            .await
            .unwrap()
            .describe()
            .await
            .unwrap_err()
    };
    let started = Instant::now();
    let spins = plugin("(func $spin (loop (br 0))) (start $spin)", "");
    assert_eq!(limit_of(describe(spins).await), Limit::cpu_ms);
    let grows = |count: u32| {
        plugin(
            "(table $t 1 funcref)",
            &format!(
                "(if (i32.eq (table.grow $t (ref.null func) (i32.const {count})) (i32.const -1)) (then unreachable))"
            ),
        )
    };
    assert_eq!(
        limit_of(describe(grows(100_000)).await),
        Limit::table_elements
    );
    assert!(
        sandbox
            .load(&grows(1_000))
            .await
            .unwrap()
            .describe()
            .await
            .is_ok()
    );
    let memory = |count: u32| {
        plugin(
            "",
            &format!(
                "(if (i32.eq (memory.grow (i32.const {count})) (i32.const -1)) (then unreachable))"
            ),
        )
    };
    assert_eq!(limit_of(describe(memory(1_024)).await), Limit::memory_bytes);
    assert!(
        sandbox
            .load(&memory(500))
            .await
            .unwrap()
            .describe()
            .await
            .is_ok()
    );
    // One instruction that would take seconds: it is interrupted, or it is refused.
    let fill = plugin_with(
        "(memory (export \"memory\") 1000)",
        "",
        "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65000000)) (br 0))",
    );
    assert_eq!(limit_of(describe(fill).await), Limit::cpu_ms);
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(sandbox.free_slots(), 4);
}

async fn never_runs(sandbox: &Sandbox, name: &str, bytes: &[u8]) -> String {
    let result = match sandbox.load(bytes).await {
        Ok(plugin) => plugin
            .describe()
            .await
            .map(|tools| format!("{} tools", tools.len())),
        Err(error) => Err(error),
    };
    let error = result.expect_err(name).to_string();
    assert!(is_one_sentence(&error), "{name}: {error}");
    error
}

/// A component in a component in a component: made from the inside, because the text format's own
/// parser gives up early.
fn nested_components(depth: usize) -> Vec<u8> {
    const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";
    const COMPONENT_SECTION: u8 = 4;
    (0..depth).fold(HEADER.to_vec(), |inner, _| {
        let mut outer = HEADER.to_vec();
        outer.push(COMPONENT_SECTION);
        let mut length = inner.len();
        while length >= 0x80 {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(inner);
        outer
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_of_anything_is_refused_before_it_costs_anything() {
    let (sandbox, _) = sandbox(|_| {});
    let many = |item: &str, count: usize| (0..count).map(|_| item).collect::<String>();
    for (name, bytes) in [
        ("tables", plugin(&many("(table 1 funcref)", 70), "")),
        ("memories", plugin(&many("(memory 1)", 20), "")),
        ("a large table", plugin("(table 100001 funcref)", "")),
        (
            "a table without measure",
            plugin("(table 4000000000 funcref)", ""),
        ),
        (
            "a large memory",
            plugin_with("(memory (export \"memory\") 1025)", "", ""),
        ),
        (
            "a whole memory",
            plugin_with("(memory (export \"memory\") 65536)", "", ""),
        ),
        (
            "globals",
            plugin(&many("(global (mut i64) (i64.const 0))", 200_000), ""),
        ),
        ("shared memory", {
            let text = "(module (memory 1 1 shared))";
            wat::parse_str(text).unwrap()
        }),
    ] {
        let started = Instant::now();
        never_runs(&sandbox, name, &bytes).await;
        assert!(started.elapsed() < Duration::from_secs(20), "{name}");
    }
    let instances = format!(
        "(component (core module $m) {})",
        many("(core instance (instantiate $m))", 200)
    );
    never_runs(&sandbox, "instances", &wat::parse_str(instances).unwrap()).await;
    // Each type holds the one before twice: 2 to the 64 of them, in two hundred bytes.
    let bomb: String = (1..64)
        .map(|n| format!("(type $t{n} (tuple $t{0} $t{0}))", n - 1))
        .collect();
    let bomb = format!(
        "(component (type $t0 (tuple u8 u8)) {bomb} (import \"f\" (func (param \"x\" $t63))))"
    );
    never_runs(&sandbox, "type bomb", &wat::parse_str(bomb).unwrap()).await;
    never_runs(&sandbox, "nested components", &nested_components(5_000)).await;
    let nested_type = (0..150).fold("u8".to_owned(), |inner, _| format!("(list {inner})"));
    let nested_type = format!("(component (import \"f\" (func (param \"x\" {nested_type}))))");
    if let Ok(bytes) = wat::parse_str(nested_type) {
        never_runs(&sandbox, "nested types", &bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_nobody_offers_is_named() {
    let (sandbox, _) = sandbox(|_| {});
    for import in [
        "evil:world/take-over@1.0.0",
        "wasi:keyvalue/store@0.2.0",
        "wasi:http/incoming-handler@0.2.0",
        "toolhost:plugin/secrets@0.1.0",
        "toolhost:plugin/http@9.0.0",
    ] {
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
    assert!(
        never_runs(&sandbox, "33 MiB", &large)
            .await
            .contains("component_bytes")
    );
    let mut component = guests::component("echo");
    component.resize(33 << 20, 0);
    assert!(
        never_runs(&sandbox, "33 MiB of component", &component)
            .await
            .contains("component_bytes")
    );
    let core = wat::parse_str("(module (func (export \"toolhost:plugin/tools@0.1.0#describe\")))")
        .unwrap();
    assert!(
        never_runs(&sandbox, "core", &core)
            .await
            .contains("component types")
    );
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
    let artefact = std::fs::read_dir(cache.path().join("cache"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "cwasm")
        })
        .unwrap();
    let bytes = std::fs::read(artefact).unwrap();
    let error = sandbox.load(&bytes[32..]).await.unwrap_err();
    assert_eq!(error, SandboxError::Precompiled);
    never_runs(&sandbox, "artefact", &bytes).await;
}
