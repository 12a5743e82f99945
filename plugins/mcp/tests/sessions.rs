//! How a server is spoken to, and what is kept of it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod support;

use std::cell::Cell;
use std::collections::HashSet;

use serde_json::{Value, json};
use support::{answer_of, call, error, host, legacy, methods, modern, result, status, stream};
use toolhost_sdk::testing::{Host, failing};
use toolhost_sdk::{Code, HttpCode};

#[test]
fn a_session_is_begun_once_and_used_again() {
    let (host, got) = host(legacy, |_| None);
    call(json!({"id": "1"})).unwrap();
    call(json!({"id": "2"})).unwrap();
    assert_eq!(
        methods(&got),
        [
            "server/discover",
            "initialize",
            "notifications/initialized",
            "tools/call",
            "tools/call"
        ]
    );
    let got = got.borrow();
    assert_eq!(got[1].header("mcp-protocol-version"), None);
    assert_eq!(got[1].body["params"]["capabilities"], json!({}));
    let session = got[2].header("mcp-session-id");
    assert!(
        session.is_some()
            && got[3].header("mcp-session-id") == session
            && got[4].header("mcp-session-id") == session
    );
    drop(host);
}

#[test]
fn a_server_of_today_is_asked_once_and_has_no_session() {
    let (host, got) = host(modern, |_| None);
    let answer = call(json!({"id": "1"})).unwrap();
    assert_eq!(answer.content.len(), 1);
    call(json!({"id": "2"})).unwrap();
    assert_eq!(methods(&got), ["server/discover", "tools/call", "tools/call"]);
    assert_eq!(host.cancel_note(), b"", "closing the stream says it");
}

#[test]
fn each_older_version_is_spoken_as_it_was() {
    for (version, is_named) in [("2025-03-26", false), ("2025-06-18", true)] {
        let (_host, got) = host(
            |request| match request.method() {
                "tools/call" => result(request, json!({"content": []})),
                "server/discover" => error(request, -32_601, "no such method"),
                _ => status(202, &Value::Null),
            },
            move |request| {
                let said = json!({"protocolVersion": version, "capabilities": {"tools": {}}});
                (request.method() == "initialize").then(|| result(request, said))
            },
        );
        call(json!({})).unwrap();
        let got = got.borrow();
        let call = got.last().unwrap();
        assert_eq!(call.header("mcp-protocol-version"), is_named.then_some(version));
        assert_eq!(call.header("mcp-session-id"), None, "the server names no session");
    }
}

#[test]
fn a_version_that_is_not_spoken_here_is_said_to_be_so() {
    let (_host, _) = host(legacy, |request| {
        let said = json!({"protocolVersion": "2024-11-05", "capabilities": {}});
        (request.method() == "initialize").then(|| result(request, said))
    });
    let failure = call(json!({})).unwrap_err();
    assert_eq!(failure.code, Code::Unsupported);
    assert!(failure.message.contains("2024-11-05"));
}

#[test]
fn who_may_not_ask_is_not_asked_in_another_way() {
    for (code, number) in [
        (401, Code::Denied),
        (403, Code::Denied),
        (429, Code::Limit),
        (503, Code::Upstream),
        (307, Code::Upstream),
    ] {
        let (_host, got) = host(legacy, move |_| Some(status(code, &json!({}))));
        assert_eq!(call(json!({})).unwrap_err().code, number, "{code}");
        assert_eq!(got.borrow().len(), 1, "{code}");
    }
    let (_host, got) = host(legacy, |_| {
        Some(Err(failing(HttpCode::NotConnected, "nothing is connected")))
    });
    assert_eq!(call(json!({})).unwrap_err().code, Code::NotConnected);
    assert_eq!(got.borrow().len(), 1);
}

#[test]
fn a_session_that_the_server_has_lost_is_begun_anew_once() {
    let lost = std::rc::Rc::new(Cell::new(0));
    let left = std::rc::Rc::clone(&lost);
    let (_host, got) = host(legacy, move |request| {
        if request.method() == "tools/call" && left.get() > 0 {
            left.set(left.get() - 1);
            return Some(status(
                404,
                &json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32001, "message": "Session not found"}}),
            ));
        }
        None
    });
    call(json!({})).unwrap();
    lost.set(1);
    got.borrow_mut().clear();
    call(json!({})).unwrap();
    assert_eq!(
        methods(&got),
        [
            "tools/call",
            "server/discover",
            "initialize",
            "notifications/initialized",
            "tools/call"
        ]
    );
    assert_ne!(
        got.borrow()[0].header("mcp-session-id"),
        got.borrow()[4].header("mcp-session-id")
    );
    // And not for ever.
    lost.set(9);
    got.borrow_mut().clear();
    assert_eq!(call(json!({})).unwrap_err().code, Code::Upstream);
    assert_eq!(
        methods(&got)
            .iter()
            .filter(|method| *method == "tools/call")
            .count(),
        2
    );
}

#[test]
fn a_call_that_may_have_been_made_is_not_made_again() {
    for code in [400, 500, 502, 504] {
        let (host, got) = host(legacy, move |request| {
            (request.method() == "tools/call").then(|| status(code, &json!({})))
        });
        assert!(call(json!({})).is_err());
        assert_eq!(
            methods(&got)
                .iter()
                .filter(|method| *method == "tools/call")
                .count(),
            1,
            "{code}"
        );
        // A server that says so of a lost session gets a new one at the next call.
        let is_kept = host.upstream_state().unwrap() != b"{}";
        assert_eq!(is_kept, code != 400);
    }
    let (_host, got) = host(legacy, |request| {
        let broken = || Err(failing(HttpCode::Upstream, "broke off"));
        (request.method() == "tools/call").then(broken)
    });
    assert!(call(json!({})).is_err());
    assert_eq!(
        methods(&got)
            .iter()
            .filter(|method| *method == "tools/call")
            .count(),
        1
    );
}

#[test]
fn a_server_that_has_learnt_another_version_is_asked_anew() {
    let (host, got) = host(modern, |_| None);
    host.set_upstream_state(Some(br#"{"v":"2026-07-28"}"#));
    call(json!({})).unwrap();
    assert_eq!(methods(&got), ["tools/call"]);
    let turned = Cell::new(false);
    let (host, got) = support::host(legacy, move |request| {
        let first = request.method() == "tools/call" && !turned.replace(true);
        first.then(|| {
            status(
                400,
                &json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32022, "message": "v"}}),
            )
        })
    });
    host.set_upstream_state(Some(br#"{"v":"2026-07-28"}"#));
    call(json!({})).unwrap();
    assert_eq!(
        methods(&got),
        [
            "tools/call",
            "server/discover",
            "initialize",
            "notifications/initialized",
            "tools/call"
        ]
    );
}

#[test]
fn no_two_requests_of_a_caller_have_one_number() {
    let (host, got) = host(legacy, |_| None);
    for _ in 0..20 {
        call(json!({})).unwrap();
    }
    // Another call beside this one has used numbers, and lost the session.
    host.set_upstream_state(None);
    call(json!({})).unwrap();
    let got = got.borrow();
    let mut numbers = HashSet::new();
    for request in got.iter().filter(|request| !request.id().is_null()) {
        assert!(numbers.insert(request.id().as_u64().unwrap()), "{}", request.body);
    }
}

/// Puts a session in place while this call begins one of its own.
fn raced(with: &'static [u8]) -> (Host, support::Got) {
    // A second handle to the same pretended host would reset it: the state is changed through the SDK instead.
    host(legacy, move |request| {
        if request.method() == "notifications/initialized" {
            let kept = toolhost_sdk::adapter::UpstreamState::get().unwrap().unwrap();
            toolhost_sdk::adapter::UpstreamState::set(Some(kept.version), with).unwrap();
        }
        None
    })
}

#[test]
fn of_two_calls_that_begin_a_session_at_once_both_use_the_first() {
    let (_host, got) = raced(br#"{"v":"2025-11-25","s":"of-the-other"}"#);
    call(json!({})).unwrap();
    assert_eq!(
        got.borrow().last().unwrap().header("mcp-session-id"),
        Some("of-the-other")
    );
    let (_host, got) = raced(b"{}");
    call(json!({})).unwrap();
    let own = got
        .borrow()
        .last()
        .unwrap()
        .header("mcp-session-id")
        .unwrap()
        .to_owned();
    assert!(own.starts_with("session-"), "{own}");
}

#[test]
fn what_another_version_has_kept_is_no_session() {
    for kept in [
        &b"\xff"[..],
        b"{}",
        br#"{"v":"1999-01-01"}"#,
        br#"{"v":"2025-11-25","x":1}"#,
    ] {
        let (host, got) = host(legacy, |_| None);
        host.set_upstream_state(Some(kept));
        call(json!({})).unwrap();
        assert_eq!(got.borrow().len(), 4, "{kept:?}");
    }
}

#[test]
fn a_session_whose_name_cannot_be_sent_back_is_refused() {
    for name in [
        "a b".to_owned(),
        "x\u{e9}".to_owned(),
        "x".repeat(2_000),
        String::new(),
    ] {
        let (_host, _) = host(legacy, move |request| {
            (request.method() == "initialize").then(|| {
                let mut response = legacy(request).unwrap();
                response.headers.pop();
                response.headers.push(("mcp-session-id".into(), name.clone()));
                Ok(response)
            })
        });
        assert_eq!(call(json!({})).unwrap_err().code, Code::Upstream);
    }
}

#[test]
fn a_dropped_call_leaves_a_note_and_the_server_is_told_of_it_alone() {
    let (host, got) = host(legacy, |request| {
        (request.method() == "tools/call").then(|| stream(&[answer_of(request, "done")]))
    });
    call(json!({})).unwrap();
    let note = host.cancel_note();
    let (session, id) = {
        let got = got.borrow();
        let call = got.last().unwrap();
        (
            call.header("mcp-session-id").unwrap().to_owned(),
            call.id().clone(),
        )
    };
    <mcp::Mcp as toolhost_sdk::adapter::Adapter>::cancel(b"{}", &note).unwrap();
    let got = got.borrow();
    let told = got.last().unwrap();
    assert_eq!(told.method(), "notifications/cancelled");
    assert_eq!(told.body["params"]["requestId"], id);
    assert_eq!(told.header("mcp-session-id"), Some(session.as_str()));
    assert!(told.id().is_null());
    assert!(<mcp::Mcp as toolhost_sdk::adapter::Adapter>::cancel(b"{}", b"not ours").is_err());
}
