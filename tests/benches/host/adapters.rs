//! Tools of a described system: looking at GitHub's document, starting with what was found before,
//! and a call against the same call of a plugin.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Builder;
use toolhost_audit::{JsonLinesSink, Sink};
use toolhost_egress::Egress;
use toolhost_harness::{connection, guests, values};
use toolhost_identity::Binding;
use toolhost_net::Network;
use toolhost_policy::{AuthPlacement, CheckedConnection, Connection, Grant, Limits};
use toolhost_sandbox::{AdapterComponent, Sandbox, SandboxSettings, contract};
use toolhost_tools::{AdapterConnection, CallOptions, Catalogue, ModelArgs, Tools, refusals};

use crate::table::{Case, Table, Target, in_turns, median, quantile};
use crate::wiring::{Callers, TENANT};

const STARTS: usize = 15;
const ROUNDS: usize = 25;
const TIMES: usize = 100;

pub fn measure() -> Vec<Table> {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let tables = runtime.block_on(async { vec![github().await, calls().await] });
    runtime.shutdown_background();
    tables
}

/// Sandbox and egress, with an own cache so that nothing was found before.
struct Rooms {
    sandbox: Sandbox,
    egress: Arc<Egress>,
    sink: Arc<dyn Sink>,
    _place: tempfile::TempDir,
}

impl Rooms {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let sink: Arc<dyn Sink> =
            Arc::new(JsonLinesSink::open(&place.path().join("audit.jsonl")).unwrap());
        let network = Arc::new(Network::system().unwrap());
        let egress = Arc::new(Egress::new(network, BTreeMap::new(), Arc::clone(&sink)).unwrap());
        let settings = SandboxSettings {
            cache: Some(place.path().join("cache")),
            ..SandboxSettings::default()
        };
        let sandbox = Sandbox::new(settings, Arc::clone(&egress), values(&[TENANT])).unwrap();
        Self {
            sandbox,
            egress,
            sink,
            _place: place,
        }
    }

    async fn adapter(&self) -> AdapterComponent {
        self.sandbox
            .load_adapter(&guests::component("openapi"))
            .await
            .unwrap()
    }
}

fn open(base: &str) -> CheckedConnection {
    CheckedConnection::new(Connection {
        auth: AuthPlacement::None,
        ..connection("billing", base)
    })
    .unwrap()
}

fn described(
    adapter: &AdapterComponent,
    connection: &CheckedConnection,
    tools: Vec<contract::Discovered>,
) -> AdapterConnection {
    AdapterConnection {
        slashes: Default::default(),
        adapter: adapter.clone(),
        connection: connection.clone(),
        limits: Limits::default(),
        tools,
        strict_output: false,
    }
}

async fn discovered(adapter: &AdapterComponent, document: Vec<u8>) -> contract::Discovery {
    adapter
        .discover(document, None, &[])
        .await
        .unwrap()
        .unwrap()
}

/// What starting with a document takes that an adapter has seen before: all of it, from its file to
/// the catalogue.
async fn warm(adapter: &AdapterComponent, connection: &CheckedConnection, file: &Path) -> Duration {
    let started = Instant::now();
    let found = discovered(adapter, std::fs::read(file).unwrap()).await;
    let catalogue =
        Catalogue::from_plugins(vec![], vec![described(adapter, connection, found.tools)], 1)
            .unwrap();
    let took = started.elapsed();
    drop(catalogue);
    took
}

async fn github() -> Table {
    let file = guests::target().join("documents/github/api.github.com.json");
    let (rooms, connection) = (Rooms::new(), open("https://api.github.com"));
    let adapter = rooms.adapter().await;
    let document = std::fs::read(&file).unwrap();
    let started = Instant::now();
    let found = discovered(&adapter, document).await;
    let looked = started.elapsed();
    let count = found.tools.len();
    let started = Instant::now();
    assert!(refusals(&connection, &found.tools).is_empty());
    let checked = started.elapsed();
    let mut warm_starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        warm_starts.push(warm(&adapter, &connection, &file).await);
    }
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let one = |time: Duration| vec![format!("{:.0}", millis(time))];
    let mut table = Table::new(
        format!("GitHub's document, {count} tools"),
        &["p50", "worst"],
    );
    table.judged(
        "looked at for the first time, ms",
        one(looked),
        Target::AtMost(3_000.0),
        millis(looked),
    );
    table.row("  and every schema compiled, for the yes, ms", one(checked));
    let cells = vec![
        format!("{:.1}", millis(median(&warm_starts))),
        format!("{:.1}", millis(quantile(&warm_starts, 1.0))),
    ];
    let name = format!("from file to catalogue, seen before, ms, n = {STARTS}");
    table.judged(
        name,
        cells,
        Target::AtMost(100.0),
        millis(median(&warm_starts)),
    );
    table
}

/// One operation with the answer of the billing plugin's own.
fn document() -> Value {
    json!({
        "openapi": "3.1.0", "info": {"title": "Billing", "version": "1"},
        "paths": {"/v1/invoices": {"get": {
            "operationId": "listInvoices",
            "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
            "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}},
        }}},
    })
}

async fn upstream() -> String {
    let invoices = async || axum::Json(json!({"invoices": [], "data": [], "next_cursor": null}));
    let router = axum::Router::new().route("/v1/invoices", axum::routing::get(invoices));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// A GET of an adapter's tool against one of a plugin, each a whole call.
async fn calls() -> Table {
    let rooms = Rooms::new();
    let adapter = rooms.adapter().await;
    let connection = open(&upstream().await);
    let found = discovered(&adapter, document().to_string().into_bytes()).await;
    let plugin = rooms
        .sandbox
        .load(&guests::component("billing"))
        .await
        .unwrap();
    let connections = BTreeMap::from([(connection.name.clone(), connection.clone())]);
    let grant =
        Grant::resolve(plugin.manifest().unwrap(), &connections, &Limits::default()).unwrap();
    let tools = plugin.describe().await.unwrap();
    let api = CheckedConnection::new(Connection {
        name: toolhost_policy::ConnectionName::parse("api").unwrap(),
        ..connection.to_connection()
    })
    .unwrap();
    let catalogue = Catalogue::from_plugins(
        vec![(plugin, grant, tools)],
        vec![described(&adapter, &api, found.tools)],
        1,
    );
    let tools = Tools::new(
        catalogue.unwrap(),
        Arc::clone(&rooms.egress),
        Arc::clone(&rooms.sink),
    );
    let tools = Arc::new(tools.unwrap());
    let binding = Callers::new().await.binding().await;
    let call = |tool: &'static str| {
        let (tools, binding) = (Arc::clone(&tools), binding.clone());
        move || once(Arc::clone(&tools), binding.clone(), tool)
    };
    let mut cases = [
        Case::new("a plugin's brokered GET", call("list_invoices")),
        Case::new("an adapter's", call("api__listInvoices")),
    ];
    in_turns(&mut cases, ROUNDS, TIMES).await;
    let mut table = Table::new(
        format!("one call after another, n = {}", ROUNDS * TIMES),
        &["p50 us", "p99 us", "x plugin"],
    );
    let base = cases[0].median();
    let (cells, _) = Table::cells_of(&cases[0], base);
    table.row(cases[0].name(), cells);
    let (cells, ratio) = Table::cells_of(&cases[1], base);
    table.judged(cases[1].name(), cells, Target::AtMost(1.3), ratio);
    table
}

async fn once(tools: Arc<Tools>, binding: Binding, tool: &'static str) {
    let Value::Object(members) = json!({ "limit": 5 }) else {
        unreachable!()
    };
    let called = tools
        .call(
            &binding,
            tool,
            ModelArgs::new(members),
            CallOptions::default(),
        )
        .await;
    called.unwrap();
}
