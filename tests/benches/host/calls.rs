//! A sandboxed call, step by step away from bare wasmtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use toolhost_harness::guests;
use toolhost_tools::{CallOptions, ModelArgs};

use crate::bare::Bare;
use crate::table::{Case, Table, Target, cpu_time, in_turns};
use crate::wiring::{Callers, Rooms, invocation};

const SLOTS: u32 = 64;
const ROUNDS: usize = 25;
const TIMES: usize = 200;

/// As long as the argument of an ordinary tool.
const MESSAGE: &str =
    "a message of some eighty bytes, which is what the arguments of a small tool have....";

fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread()
        .thread_name(name)
        .enable_all()
        .build()
        .unwrap()
}

pub fn measure() -> Vec<Table> {
    // The recorder of the host, so that counting costs what it costs there.
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder();
    let doors = runtime("door");
    let guests = runtime("guest");
    let tables = doors.block_on(async {
        vec![
            one_after_another(guests.handle()).await,
            side_by_side().await,
        ]
    });
    drop(metrics);
    guests.shutdown_background();
    tables
}

struct Subjects {
    bare: Arc<Bare>,
    deps: Arc<Rooms>,
    binding: toolhost_identity::Binding,
    next: Arc<AtomicU64>,
}

async fn subjects() -> Subjects {
    Subjects {
        bare: Arc::new(Bare::new(&guests::component("echo"), SLOTS)),
        deps: Arc::new(Rooms::echo(SLOTS, None).await),
        binding: Callers::new().await.binding().await,
        next: Arc::new(AtomicU64::new(1)),
    }
}

impl Subjects {
    async fn invoke(self: Arc<Self>) {
        let context = self
            .deps
            .context(&self.binding, self.next.fetch_add(1, Ordering::Relaxed));
        let answered = self
            .deps
            .plugin
            .invoke(context, invocation(MESSAGE))
            .await
            .unwrap();
        assert!(answered.outcome.is_ok());
    }

    async fn call(self: Arc<Self>) {
        let serde_json::Value::Object(members) = json!({ "message": MESSAGE }) else {
            unreachable!()
        };
        let arguments = ModelArgs::new(members);
        self.deps
            .tools
            .call(&self.binding, "echo", arguments, CallOptions::default())
            .await
            .unwrap();
    }

    async fn bare(self: Arc<Self>) {
        assert!(self.bare.call(&invocation(MESSAGE)).await.is_ok());
    }
}

/// One caller who waits for each answer. What a hop to another runtime costs stands beside it: a
/// plugin that has not yet proven short pays it.
async fn one_after_another(guests: &tokio::runtime::Handle) -> Table {
    let subjects = Arc::new(subjects().await);
    let each = |work: fn(Arc<Subjects>) -> BoxFuture<'static, ()>| {
        let subjects = Arc::clone(&subjects);
        move || work(Arc::clone(&subjects))
    };
    let (hop, other) = (guests.clone(), guests.clone());
    let there = Arc::clone(&subjects);
    let mut cases = [
        Case::new("bare wasmtime, safe settings", each(|s| Box::pin(s.bare()))),
        Case::new("the hop between two runtimes, and back", move || {
            let task = hop.spawn(async {});
            async move { task.await.unwrap() }
        }),
        Case::new("bare wasmtime, behind that hop", move || {
            let task = other.spawn(Arc::clone(&there).bare());
            async move { task.await.unwrap() }
        }),
        Case::new("Plugin::invoke", each(|s| Box::pin(s.invoke()))),
        Case::new("Tools::call", each(|s| Box::pin(s.call()))),
    ];
    in_turns(&mut cases, ROUNDS, TIMES).await;
    let mut table = Table::new(
        format!("one call after another, echo, n = {}", ROUNDS * TIMES),
        &["p50 us", "p99 us", "x bare"],
    );
    let bare = cases[0].median();
    for (index, case) in cases.iter().enumerate() {
        let (cells, ratio) = Table::cells_of(case, bare);
        match index {
            3 => table.judged(case.name(), cells, Target::AtMost(1.25), ratio),
            4 => table.judged(case.name(), cells, Target::AtMost(2.0), ratio),
            _ => table.row(case.name(), cells),
        }
    }
    table
}

/// A name, what is done once, and what each turn took of the clock and of the processors.
type Kind = (
    &'static str,
    Box<dyn Fn() -> BoxFuture<'static, ()>>,
    Vec<Duration>,
    Vec<Duration>,
);

/// Several callers, so that no thread sleeps: what a call takes from the machine.
async fn side_by_side() -> Table {
    const CALLERS: usize = 8;
    const CALLS: usize = 400;
    const TURNS: usize = 15;
    let subjects = Arc::new(subjects().await);
    let mut kinds: Vec<Kind> = Vec::new();
    let s = Arc::clone(&subjects);
    kinds.push((
        "bare wasmtime, safe settings",
        Box::new(move || Box::pin(Arc::clone(&s).bare())),
        vec![],
        vec![],
    ));
    let s = Arc::clone(&subjects);
    kinds.push((
        "Plugin::invoke",
        Box::new(move || Box::pin(Arc::clone(&s).invoke())),
        vec![],
        vec![],
    ));
    let s = Arc::clone(&subjects);
    kinds.push((
        "Tools::call",
        Box::new(move || Box::pin(Arc::clone(&s).call())),
        vec![],
        vec![],
    ));
    for _ in 0..TURNS {
        for (_, once, wall, cpu) in &mut kinds {
            let (started, used) = (Instant::now(), cpu_time());
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| {
                    let calls: Vec<_> = (0..CALLS).map(|_| once()).collect();
                    tokio::spawn(async move {
                        for call in calls {
                            call.await;
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
            let calls = u32::try_from(CALLERS * CALLS).unwrap();
            wall.push(started.elapsed() / calls);
            cpu.push((cpu_time() - used) / calls);
        }
    }
    let mut table = Table::new(
        format!(
            "{CALLERS} callers at once, echo, median of {TURNS} turns of {} calls",
            CALLERS * CALLS
        ),
        &["us a call", "CPU us", "x bare CPU"],
    );
    let base = crate::table::median(&kinds[0].3);
    for (index, (name, _, wall, cpu)) in kinds.iter().enumerate() {
        let middle = crate::table::median(cpu);
        let ratio = middle.as_secs_f64() / base.as_secs_f64();
        let cells = vec![
            format!("{:.1}", crate::table::micros(crate::table::median(wall))),
            format!("{:.1}", crate::table::micros(middle)),
            format!("{ratio:.2}"),
        ];
        match index {
            1 => table.judged(*name, cells, Target::AtMost(1.25), ratio),
            2 => table.judged(*name, cells, Target::AtMost(2.0), ratio),
            _ => table.row(*name, cells),
        }
    }
    table
}
