//! Every bound of a call, tried by a guest that wants to pass it (T36 to T39, T43).

use std::time::{Duration, Instant};

use serde_json::json;
use toolhost_harness::{Rig, Upstream, connection, text_of};
use toolhost_policy::{ErrorCode, PublicError};

fn about(error: &PublicError) -> (ErrorCode, &str) {
    (error.code, error.param.as_deref().unwrap_or(""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_spins_is_ended_by_its_cpu_limit_and_gives_its_slot_back() {
    let rig = Rig::for_plugin("evil")
        .slots(1)
        .limits(|limits| limits.cpu_ms = Some(200))
        .build()
        .await;
    for _ in 0..2 {
        let started = Instant::now();
        let error = rig.call("acme", "spin", json!({})).await.unwrap_err();
        assert_eq!(
            about(&error),
            (ErrorCode::LimitExceeded, "cpu_ms"),
            "{error}"
        );
        assert!(started.elapsed() >= Duration::from_millis(190));
    }
    assert_eq!(rig.sandbox.free_slots(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn spinning_guests_do_not_keep_others_from_running() {
    let rig = Rig::for_plugin("evil")
        .slots(8)
        .limits(|limits| limits.cpu_ms = Some(1_000))
        .build()
        .await;
    let spinning: Vec<_> = (0..6)
        .map(|_| {
            let (tools, binding) = (std::sync::Arc::clone(&rig.tools), rig.binding("acme"));
            tokio::spawn(async move {
                let args = toolhost_tools::ModelArgs::default();
                tools
                    .call(
                        &binding,
                        "spin",
                        args,
                        toolhost_tools::CallOptions::default(),
                    )
                    .await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let output = rig
        .call("globex", "spin_rounds", json!({"n": 1}))
        .await
        .unwrap();
    assert!(!text_of(&output).is_empty());
    assert!(
        spinning.iter().all(|task| !task.is_finished()),
        "the short call ran while the others spun"
    );
    for task in spinning {
        assert_eq!(
            task.await.unwrap().unwrap_err().code,
            ErrorCode::LimitExceeded
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_ends_where_the_limit_says_and_the_error_names_it() {
    let rig = Rig::for_plugin("evil")
        .limits(|limits| limits.memory_bytes = Some(16 << 20))
        .build()
        .await;
    let output = rig.call("acme", "grow_memory", json!({})).await.unwrap();
    let text = text_of(&output);
    let pages: u64 = text
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap();
    assert!(pages * 65_536 <= 16 << 20, "{text}");
    let error = rig.call("acme", "allocate", json!({})).await.unwrap_err();
    assert_eq!(
        about(&error),
        (ErrorCode::LimitExceeded, "memory_bytes"),
        "{error}"
    );
    rig.call("acme", "touch_memory", json!({"n": 8}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_without_end_is_a_trap_and_not_an_abort() {
    let rig = Rig::for_plugin("evil").build().await;
    let error = rig
        .call("acme", "recurse_registers", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::PluginFailed);
    assert!(error.message.contains("stack"), "{error}");
    rig.call("acme", "spin_rounds", json!({"n": 1}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_and_panics_are_failures_of_one_call() {
    let rig = Rig::for_plugin("evil").build().await;
    for (tool, says) in [
        ("trap", "unreachable"),
        ("panic", "panicked at"),
        ("panic", "the guest panicked on purpose"),
        ("exit", "ended itself with exit status 0"),
    ] {
        let error = rig.call("acme", tool, json!({})).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::PluginFailed, "{tool}: {error}");
        assert!(
            error.message.contains(says) && !error.message.contains("RUST_BACKTRACE"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_over_its_limit_is_refused_by_name() {
    let rig = Rig::for_plugin("evil").build().await;
    let output = rig
        .call("acme", "big_result", json!({"n": 1_000_000}))
        .await
        .unwrap();
    assert_eq!(text_of(&output).len(), 1_000_000);
    let error = rig
        .call("acme", "big_result", json!({"n": 1_100_000}))
        .await
        .unwrap_err();
    assert_eq!(
        about(&error),
        (ErrorCode::LimitExceeded, "result_bytes"),
        "{error}"
    );
    // Far over it the copy itself is refused, before the host allocates for it.
    let error = rig
        .call("acme", "big_result", json!({"n": 20_000_000}))
        .await
        .unwrap_err();
    assert_eq!(
        about(&error),
        (ErrorCode::LimitExceeded, "hostcall_bytes"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_over_their_limit_never_reach_a_slot() {
    let rig = Rig::for_plugin("echo").build().await;
    let error = rig
        .call("acme", "echo", json!({"message": "x".repeat(256 << 10)}))
        .await
        .unwrap_err();
    assert_eq!(
        about(&error),
        (ErrorCode::LimitExceeded, "arguments_bytes"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn full_means_busy_at_once_and_never_a_queue() {
    let rig = Rig::for_plugin("evil")
        .slots(2)
        .limits(|limits| limits.cpu_ms = Some(500))
        .build()
        .await;
    let calls = (0..10).map(|_| rig.call("acme", "spin", json!({})));
    let started = Instant::now();
    let errors: Vec<_> = futures::future::join_all(calls)
        .await
        .into_iter()
        .map(|r| r.unwrap_err().code)
        .collect();
    assert_eq!(
        errors
            .iter()
            .filter(|code| **code == ErrorCode::Busy)
            .count(),
        8,
        "{errors:?}"
    );
    // Ten in a queue of two would be 2.5 s of CPU, on a machine under load much more; a call alone
    // has 30 s.
    assert!(started.elapsed() < Duration::from_secs(25));
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_and_pollables_end_where_the_limit_says() {
    let upstream =
        Upstream::start(axum::Router::new().route("/echo", axum::routing::get(|| async { "ok" })))
            .await;
    let rig = Rig::for_plugin("evil")
        .connection(connection("echo", &upstream.url()))
        .credential("acme", "echo", "tok-acme-0123456789")
        .build()
        .await;
    let error = rig
        .call("acme", "many_pollables", json!({"n": 5_000}))
        .await
        .unwrap_err();
    assert_eq!(
        about(&error),
        (ErrorCode::LimitExceeded, "handles"),
        "{error}"
    );
    let output = rig
        .call(
            "acme",
            "many_http",
            json!({"connection": "echo", "path": "/echo", "n": 40}),
        )
        .await
        .unwrap();
    assert!(
        text_of(&output).contains("http_calls"),
        "{}",
        text_of(&output)
    );
    let error = rig
        .call(
            "acme",
            "many_http",
            json!({"connection": "echo", "path": "/echo", "n": 1_000, "persist": true}),
        )
        .await
        .unwrap_err();
    assert_eq!(
        about(&error),
        (ErrorCode::LimitExceeded, "http_calls"),
        "a guest cannot go on being refused: {error}"
    );
    assert!(
        upstream.seen().len() <= 65,
        "at most 32 requests a call, and the one of many_pollables"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_waiting_for_an_upstream_that_never_answers_is_ended() {
    let never = || async { std::future::pending::<&'static str>().await };
    let upstream =
        Upstream::start(axum::Router::new().route("/echo", axum::routing::get(never))).await;
    let rig = Rig::for_plugin("evil")
        .connection(connection("echo", &upstream.url()))
        .credential("acme", "echo", "tok-acme-0123456789")
        .limits(|limits| limits.wall_ms = Some(600))
        .slots(1)
        .build()
        .await;
    let started = Instant::now();
    let args = json!({"connection": "echo", "path": "/echo", "n": 1});
    // Either the guest hears that its request timed out, or the whole call does: both end at the
    // same moment.
    let said = match rig.call("acme", "many_http", args).await {
        Ok(output) => text_of(&output),
        Err(error) => error.code.to_string(),
    };
    assert!(said.contains("timeout"), "{said}");
    assert_eq!(upstream.seen().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(14));
    assert_eq!(rig.sandbox.free_slots(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_one_call_remains_for_the_next() {
    let rig = Rig::for_plugin("evil").slots(1).build().await;
    for _ in 0..5 {
        rig.call("acme", "plant_canary", json!({})).await.unwrap();
        let output = rig.call("globex", "find_canary", json!({})).await.unwrap();
        let seen = output.structured.unwrap();
        assert_eq!(
            (&seen["found"], &seen["calls"]),
            (&json!(0), &json!(0)),
            "{seen}"
        );
        assert!(seen["scanned"].as_u64().unwrap() > 32 << 20, "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_caller_has_gone_gives_its_slot_back() {
    let rig = Rig::for_plugin("evil")
        .slots(1)
        .limits(|limits| limits.cpu_ms = Some(60_000))
        .build()
        .await;
    let call = rig.call("acme", "spin", json!({}));
    assert!(
        tokio::time::timeout(Duration::from_millis(100), call)
            .await
            .is_err()
    );
    for _ in 0..100 {
        if rig.sandbox.free_slots() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the slot is still taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_recorded_does_not_happen() {
    let rig = Rig::for_plugin("echo").build().await;
    rig.audit.break_it();
    let error = rig
        .call("acme", "echo", json!({"message": "hi"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::AuditUnavailable);
}
