//! What is recorded of a call, and what is called while nothing can be recorded (T55).

use std::time::Duration;

use serde_json::json;
use toolhost_audit::Event;
use toolhost_harness::Rig;
use toolhost_policy::ErrorCode;

#[tokio::test(flavor = "multi_thread")]
async fn reads_follow_the_operators_setting_and_calls_with_effects_are_refused() {
    let rig = Rig::for_plugin("evil").build().await;
    rig.audit.break_it();
    for (tool, arguments) in [("clock", json!({})), ("kv_flood", json!({"n": 1}))] {
        let error = rig.call("acme", tool, arguments).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::AuditUnavailable, "{tool}");
    }
    rig.audit.serve_reads();
    rig.call("acme", "clock", json!({})).await.unwrap();
    let error = rig
        .call("acme", "kv_flood", json!({"n": 1}))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::AuditUnavailable);
    assert!(rig.audit.events().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_of_a_call_says_whether_its_tool_changes_anything() {
    let rig = Rig::for_plugin("evil").build().await;
    rig.call("acme", "clock", json!({})).await.unwrap();
    let _ = rig.call("acme", "kv_flood", json!({"n": 1})).await;
    let starts: Vec<(String, bool)> = rig
        .audit
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::CallStarted(start) => Some((start.tool.clone(), start.read_only)),
            _ => None,
        })
        .collect();
    assert_eq!(
        starts,
        [("clock".to_owned(), true), ("kv_flood".to_owned(), false)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_in_the_middle_has_one_end_and_it_says_so() {
    let rig = Rig::for_plugin("evil").build().await;
    let call = rig.call("acme", "spin", json!({}));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), call)
            .await
            .is_err()
    );
    let ends: Vec<String> = rig
        .audit
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::CallFinished(end) => Some(end.outcome.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(ends, ["cancelled"]);
}
