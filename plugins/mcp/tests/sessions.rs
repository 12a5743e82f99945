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
    assert_eq!(
        methods(&got),
        ["server/discover", "tools/call", "tools/call"]
    );
    assert_eq!(host.cancel_note(), b"", "closing the stream says it");
}

#[test]
fn each_older_version_is_spoken_as_it_was() {
    for (version, is_named) in [
        ("2024-11-05", false),
        ("2025-03-26", false),
        ("2025-06-18", true),
    ] {
        let (host, got) = host(
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
        assert_eq!(
            call.header("mcp-protocol-version"),
            is_named.then_some(version)
        );
        assert_eq!(
            call.header("mcp-session-id"),
            None,
            "the server names no session"
        );
        assert_ne!(
            host.cancel_note(),
            b"",
            "closing the stream says nothing in this version"
        );
    }
}

/// MCP 2026-07-28, versioning: whatever else the first question comes to, the server may be one of
/// before.
#[test]
fn a_server_that_fails_over_the_first_question_is_begun_with_as_an_older_one() {
    let html = |code: u16| {
        let mut response = status(code, &json!({})).unwrap();
        response.headers = vec![("content-type".into(), "text/html".into())];
        response.body = b"<html>bad gateway</html>".to_vec();
        Ok(response)
    };
    let answers: [&dyn Fn() -> support::Said; 9] = [
        &|| status(500, &json!({"error": "Internal Server Error"})),
        &|| html(502),
        &|| html(200),
        &|| html(404),
        &|| status(400, &json!({})),
        &|| status(405, &Value::Null),
        &|| status(202, &Value::Null),
        &|| toolhost_sdk::testing::json(200, &json!([])),
        &|| {
            let mut broken = failing(HttpCode::Upstream, "broke off");
            broken.sent = true;
            Err(broken)
        },
    ];
    for answer in answers {
        let said = answer();
        let (_host, got) = host(legacy, move |request| {
            (request.method() == "server/discover").then(|| said.clone())
        });
        call(json!({})).unwrap();
        assert_eq!(methods(&got)[..2], ["server/discover", "initialize"]);
    }
}

#[test]
fn of_the_versions_that_a_server_names_the_newest_that_is_spoken_here_is_tried() {
    for (supported, asked) in [
        (json!(["2025-06-18", "2025-03-26"]), Ok("2025-06-18")),
        (json!(["2030-01-01", "2024-11-05"]), Ok("2024-11-05")),
        (json!(["2030-01-01"]), Err(Code::Unsupported)),
        (json!("anything"), Ok("2025-11-25")),
    ] {
        let of_refusal = supported.clone();
        let (_host, got) = host(legacy, move |request| {
            let mut refusal = json!({"jsonrpc": "2.0", "id": request.id(), "error": {"code": -32022, "message": "v"}});
            refusal["error"]["data"] = json!({"supported": of_refusal, "requested": "2026-07-28"});
            (request.method() == "server/discover").then(|| status(400, &refusal))
        });
        let called = call(json!({}));
        match asked {
            Ok(version) => {
                called.unwrap();
                assert_eq!(got.borrow()[1].body["params"]["protocolVersion"], version);
            }
            Err(code) => {
                let failure = called.unwrap_err();
                assert!(
                    failure.code == code && failure.message.contains("2030-01-01"),
                    "{failure:?}"
                );
            }
        }
    }
    // It may name the one that it was asked in: then it is asked again, once.
    for refusals in [1, 2] {
        let left = Cell::new(refusals);
        let (_host, got) = host(modern, move |request| {
            let refuses = request.method() == "server/discover" && left.get() > 0;
            left.set(left.get() - i32::from(refuses));
            let refusal = json!({"jsonrpc": "2.0", "id": request.id(), "error":
                {"code": -32022, "message": "v", "data": {"supported": ["2026-07-28"]}}});
            refuses.then(|| status(400, &refusal))
        });
        assert_eq!(call(json!({})).is_ok(), refusals == 1);
        assert_eq!(methods(&got)[..2], ["server/discover", "server/discover"]);
    }
    // The same of an older server, which knows no first question.
    let (_host, got) = host(legacy, |request| {
        let is_new = request.body["params"]["protocolVersion"] == "2025-11-25";
        let refusal = json!({"jsonrpc": "2.0", "id": request.id(), "error":
            {"code": -32602, "message": "v", "data": {"supported": ["2025-03-26"]}}});
        (request.method() == "initialize" && is_new).then(|| status(400, &refusal))
    });
    call(json!({})).unwrap();
    assert_eq!(
        got.borrow()[2].body["params"]["protocolVersion"],
        "2025-03-26"
    );
}

#[test]
fn a_version_that_is_not_spoken_here_is_said_to_be_so() {
    let (_host, _) = host(legacy, |request| {
        let said = json!({"protocolVersion": "2024-10-07", "capabilities": {}});
        (request.method() == "initialize").then(|| result(request, said))
    });
    let failure = call(json!({})).unwrap_err();
    assert_eq!(failure.code, Code::Unsupported);
    assert!(
        failure
            .message
            .contains("MCP 2024-10-07; 2024-11-05 to 2026-07-28")
    );
}

#[test]
fn who_may_not_ask_is_not_asked_in_another_way() {
    for (code, number) in [
        (401, Code::UpstreamRefusedCredential),
        (403, Code::UpstreamRefusedCredential),
        (429, Code::UpstreamRateLimited),
        (503, Code::UpstreamUnavailable),
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
        assert!(
            numbers.insert(request.id().as_u64().unwrap()),
            "{}",
            request.body
        );
    }
}

/// Puts a session in place while this call begins one of its own.
fn raced(with: &'static [u8]) -> (Host, support::Got) {
    // A second handle to the same pretended host would reset it: the state is changed through the
    // SDK instead.
    host(legacy, move |request| {
        if request.method() == "notifications/initialized" {
            let kept = toolhost_sdk::adapter::UpstreamState::get()
                .unwrap()
                .unwrap();
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
                response
                    .headers
                    .push(("mcp-session-id".into(), name.clone()));
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
