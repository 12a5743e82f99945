//! Many tenants: what a call costs when calls go to a thousand of ten thousand, and whether,
//! through the transport, a tenant that is unknown can be told from one that is forbidden by how
//! long the answer takes (N21).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use toolhost_audit::{Chain, ChainKey, ChainKeys, ChainSettings, ChainSink, SinkError};
use toolhost_gateway::{Gateway, GatewayConfig};
use toolhost_harness::switcher;
use toolhost_identity::{Operator, Tenant, TenantId, TenantSpace, TenantState};
use toolhost_policy::{OperationMode, PluginName};
use toolhost_store::{MemoryStore, Store as _};
use toolhost_tools::{AssignmentRules, Assignments, CallOptions, DefaultAssignment, ModelArgs};

use crate::load::Connection;
use crate::table::{Table, Target, micros, quantile};
use crate::told_apart::{Told, order, told};
use crate::wiring::{Callers, Rooms, TENANT};

const TENANTS: usize = 10_000;
const CALLED: usize = 1_000;
const CALLS: usize = 40_000;
/// Names of each kind, so that where one lies in memory is not what is measured.
const NAMES: usize = 16;
/// Looks through the transport at each of two.
const LOOKS: usize = 6_000;
/// How often a single look at both may guess right. A coin has 0.5.
const MOST_GUESSED: f64 = 0.6;

pub fn measure() -> Vec<Table> {
    let servers = Builder::new_multi_thread()
        .thread_name("door")
        .enable_all()
        .build()
        .unwrap();
    let clients = Builder::new_current_thread().enable_all().build().unwrap();
    let mut tables = vec![servers.block_on(calls())];
    let (door, callers) = servers.block_on(serve());
    tables.push(clients.block_on(through_the_door(door, &callers)));
    servers.shutdown_background();
    tables
}

#[derive(Debug)]
struct Keys;

impl ChainKeys for Keys {
    fn key(&self, _: &Chain) -> Result<ChainKey, SinkError> {
        Ok(ChainKey::new([7; 32]))
    }
}

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// Every call is authenticated by its own token, finds what is assigned to its tenant, and is
/// recorded in that tenant's chain, as in service.
async fn calls() -> Table {
    let all = (0..TENANTS).map(|n| Tenant::root(id(&format!("t{n}"))));
    let callers = Callers::among(all.chain([Tenant::root(id(TENANT))])).await;
    let store = Arc::new(MemoryStore::default());
    let assignments = Arc::new(Assignments::new(store.clone(), None));
    let echo = PluginName::parse("echo").unwrap();
    let rules = AssignmentRules {
        plugins: DefaultAssignment::All,
        by_plugin: BTreeMap::new(),
        mode: OperationMode::Full,
    };
    assignments.serve(rules, BTreeMap::from([(echo, ["echo".to_owned()].into())]));
    let names = (0..CALLED).map(|n| format!("t{}", n * TENANTS / CALLED));
    let mut tokens: Vec<String> = Vec::new();
    for name in names.chain([TENANT.to_owned()]) {
        let space = TenantSpace::of_operator(id(&name), &Operator::of_this_process());
        store.create(&space).await.unwrap();
        tokens.push(callers.token_of(&name));
    }
    let record = tempfile::tempdir().unwrap();
    let settings = ChainSettings {
        open_chains: ChainSettings::for_open_files(1 << 20),
        ..ChainSettings::default()
    };
    let sink = ChainSink::open(&record.path().join("audit"), Arc::new(Keys), settings);
    let rooms = Rooms::with(64, None, Arc::new(sink.unwrap()), Some(assignments), record).await;
    let call = async |token: &str| {
        let arguments = json!({ "message": "say this again" });
        let Value::Object(members) = arguments else {
            unreachable!()
        };
        let began = Instant::now();
        let binding = callers
            .tenancy
            .authenticate_token(token)
            .await
            .unwrap()
            .binding;
        let arguments = ModelArgs::new(members);
        let called = rooms
            .tools
            .call(&binding, "echo", arguments, CallOptions::default());
        called.await.unwrap();
        began.elapsed()
    };
    let mut times: [Vec<Duration>; 2] = Default::default();
    for token in &tokens {
        call(token).await;
    }
    for round in 0..CALLS {
        // A number that looks like any other, of a small generator.
        let mixed = (round as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29);
        for which in order(round) {
            let token = [CALLED, mixed as usize % CALLED][which];
            times[which].push(call(&tokens[token]).await);
        }
    }
    let mut table = Table::new(
        format!("Tools::call among {TENANTS} tenants, token and record included, n = {CALLS}"),
        &["p50 us", "p99 us", "x one"],
    );
    let p99 = times.each_ref().map(|times| quantile(times, 0.99));
    for (which, name) in ["one tenant", "a thousand, at random"]
        .into_iter()
        .enumerate()
    {
        let ratio = p99[which].as_secs_f64() / p99[0].as_secs_f64();
        let cells = vec![
            format!("{:.1}", micros(quantile(&times[which], 0.5))),
            format!("{:.1}", micros(p99[which])),
            format!("{ratio:.2}"),
        ];
        match which {
            0 => table.row(name, cells),
            _ => table.judged(name, cells, Target::AtMost(1.3), ratio),
        }
    }
    table
}

fn names(word: &str) -> Vec<String> {
    (0..NAMES).map(|n| format!("{word}-{n:02}")).collect()
}

async fn serve() -> (SocketAddr, Callers) {
    let roots = |names: Vec<String>, state| {
        names.into_iter().map(move |name| Tenant {
            state,
            ..Tenant::root(id(&name))
        })
    };
    let all = roots(
        (0..1_000).map(|n| format!("t{n}")).collect(),
        TenantState::Active,
    )
    .chain(roots(names("foreign"), TenantState::Active))
    .chain(roots(names("resting"), TenantState::Suspended))
    .chain([Tenant::root(id(TENANT))]);
    let callers = Callers::among(all).await;
    let switching = switcher(callers.directory.clone(), &[TENANT]).await;
    let rooms = Rooms::echo(64, None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = listener.local_addr().unwrap();
    let config = GatewayConfig {
        public_url: format!("http://{door}/mcp").parse().unwrap(),
        allowed_hosts: vec![],
        allowed_origins: vec![],
        max_body_bytes: 1 << 20,
        version: "0",
    };
    let calls = Arc::clone(&rooms.tools);
    let gateway = Gateway::new(calls, Arc::clone(&callers.tenancy), switching, config);
    tokio::spawn(async move {
        let _rooms = rooms;
        let served = gateway.serve(listener, CancellationToken::new(), Duration::from_secs(1));
        served.await.unwrap();
    });
    (door, callers)
}

/// A request that is refused, and what it is refused with.
struct Look {
    method: &'static str,
    path: String,
    token: String,
    body: Bytes,
}

impl Look {
    async fn take(&self, connection: &mut Connection) -> (f64, u16, Bytes) {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let began = Instant::now();
        let (status, _, answer) = connection
            .send(self.method, &self.path, &headers, self.body.clone())
            .await;
        (began.elapsed().as_nanos() as f64, status.as_u16(), answer)
    }
}

async fn through_the_door(door: SocketAddr, callers: &Callers) -> Table {
    let mut connection = Connection::open(door).await;
    let begin = Look {
        method: "POST",
        path: "/api/v1/sessions".into(),
        token: callers.token.clone(),
        body: Bytes::new(),
    };
    let (_, status, answer) = begin.take(&mut connection).await;
    assert_eq!(status, 201);
    let session: Value = serde_json::from_slice(&answer).unwrap();
    let session = session["id"].as_str().unwrap().to_owned();
    let listed = |name: &String| Look {
        method: "GET",
        path: "/api/v1/tools".into(),
        token: callers.token_of(name),
        body: Bytes::new(),
    };
    let shown = |name: &String| Look {
        method: "GET",
        path: format!("/api/v1/tenants/{name}"),
        token: callers.token.clone(),
        body: Bytes::new(),
    };
    let switched = |name: &String| {
        // An id of the program's own: one that the host gives would make each answer another.
        let body = json!({
            "tool": "switch_tenant", "arguments": { "tenantId": name }, "call_id": "look",
        });
        Look {
            method: "POST",
            path: format!("/api/v1/sessions/{session}/calls"),
            token: callers.token.clone(),
            body: body.to_string().into(),
        }
    };
    let of = |look: &dyn Fn(&String) -> Look, word: &str| -> Vec<Look> {
        names(word).iter().map(look).collect()
    };
    let pairs = [
        (
            "a token's tenant: unknown, suspended",
            of(&listed, "unheard"),
            of(&listed, "resting"),
        ),
        (
            "a tenant shown: unknown, out of reach",
            of(&shown, "unheard"),
            of(&shown, "foreign"),
        ),
        (
            "a switch to: unknown, out of reach",
            of(&switched, "unheard"),
            of(&switched, "foreign"),
        ),
        (
            "a switch to: unknown, suspended",
            of(&switched, "unheard"),
            of(&switched, "resting"),
        ),
        (
            "the same one twice",
            of(&listed, "unheard"),
            of(&listed, "unheard"),
        ),
    ];
    let mut table = Table::new(
        format!("unknown and forbidden over HTTP, one connection, n = {LOOKS}"),
        &["p50 us", "p50 us", "guessed"],
    );
    for (name, first, second) in &pairs {
        let Told {
            medians, guessed, ..
        } = compare(&mut connection, [first, second]).await;
        let mut cells = medians
            .map(|median| format!("{:.1}", median / 1e3))
            .to_vec();
        cells.push(format!("{guessed:.3}"));
        table.judged(*name, cells, Target::AtMost(MOST_GUESSED), guessed);
    }
    table
}

async fn compare(connection: &mut Connection, looks: [&Vec<Look>; 2]) -> Told {
    let mut times: [Vec<f64>; 2] = Default::default();
    for round in 0..LOOKS {
        let mut answers: [Option<(u16, Bytes)>; 2] = Default::default();
        for which in order(round) {
            let (took, status, answer) = looks[which][round % NAMES].take(connection).await;
            times[which].push(took);
            answers[which] = Some((status, answer));
        }
        assert_eq!(answers[0], answers[1], "one code and one body");
    }
    told(times)
}
