//! What a server answers to a call, and what becomes of it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod support;

use serde_json::{Value, json};
use support::{
    Request, Said, answer_of, call, call_tool, error, host, legacy, modern, result, status, stream,
};
use toolhost_sdk::{Code, Content, Failure, Response};

/// A call that is answered so, by a server with sessions.
fn answered(
    answer: impl Fn(&Request) -> Said + 'static,
) -> Result<toolhost_sdk::adapter::Answer, Failure> {
    let (_host, _) = host(legacy, move |request| {
        (request.method() == "tools/call").then(|| answer(request))
    });
    call(json!({"id": "7"}))
}

fn refused(answer: impl Fn(&Request) -> Said + 'static) -> Code {
    let failure = answered(answer).unwrap_err();
    assert!(
        failure.detail.unwrap().contains("\"sent\":true"),
        "{}",
        failure.message
    );
    failure.code
}

#[test]
fn arguments_go_through_digit_by_digit_and_nothing_of_the_client_with_them() {
    let (_host, got) = host(legacy, |_| None);
    let text = r#"{"id": 12345678901234567890123, "x": 1.10}"#;
    let invocation = toolhost_sdk::adapter::Invocation {
        name: "t".into(),
        arguments: text.into(),
        answers: Vec::new(),
        state: None,
        meta: vec![("of the client".into(), "x".into())],
    };
    let descriptor = br#"{"n":"get_ticket"}"#;
    <mcp::Mcp as toolhost_sdk::adapter::Adapter>::invoke(descriptor, &invocation).unwrap();
    let got = got.borrow();
    let call = got.last().unwrap();
    assert_eq!(call.body["params"]["name"], "get_ticket");
    assert_eq!(
        call.body["params"]["_meta"],
        json!({"progressToken": call.id()})
    );
    assert_eq!(call.body["params"].as_object().unwrap().len(), 3);
}

#[test]
fn what_is_said_about_a_block_is_not_dropped() {
    let answer = answered(|request| {
        result(
            request,
            json!({"content": [
                {"type": "text", "text": "x", "annotations": {"audience": ["user"]}},
                {"type": "resource_link", "uri": "file:///a", "name": "A", "description": "what it is", "title": "T", "size": 7},
                {"type": "text", "text": "y", "annotations": [], "description": "of no link"},
            ]}),
        )
    })
    .unwrap();
    let meta = |at: usize| match &answer.content[at] {
        Content::Annotated { meta, .. } => meta.clone(),
        _ => Vec::new(),
    };
    let pair = |key: &str, text: &str| (key.to_owned(), text.to_owned());
    assert_eq!(meta(0), [pair("annotations", "{\"audience\":[\"user\"]}")]);
    assert_eq!(
        meta(1),
        [
            pair("title", "T"),
            pair("description", "what it is"),
            pair("size", "7")
        ]
    );
    assert_eq!(meta(2), []);
}

#[test]
fn every_kind_of_block_is_passed_on() {
    let answer = answered(|request| {
        result(
            request,
            json!({
                "content": [
                    {"type": "text", "text": "a", "annotations": {"audience": ["user"]}},
                    {"type": "image", "data": "iVBORw==", "mimeType": "image/png"},
                    {"type": "audio", "data": "UklGRg", "mimeType": "audio/wav"},
                    {"type": "resource_link", "uri": "file:///a", "name": "A", "mimeType": "text/plain"},
                    {"type": "resource", "resource": {"uri": "a:b", "text": "t", "mimeType": "text/x"}},
                    {"type": "resource", "resource": {"uri": "a:c", "blob": "/w=="}},
                    {"type": "hologram", "data": "x"},
                ],
                "structuredContent": {"a": 1},
            }),
        )
    })
    .unwrap();
    assert_eq!(answer.structured.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(answer.content.len(), 7);
    assert_eq!(
        answer.content[1],
        Content::Image {
            data: b"\x89PNG".to_vec(),
            mime_type: "image/png".into()
        }
    );
    assert!(matches!(&answer.content[2], Content::Audio { data, .. } if data == b"RIFF"));
    assert!(matches!(&answer.content[3], Content::ResourceLink { uri, .. } if uri == "file:///a"));
    assert!(matches!(&answer.content[5], Content::BlobResource { data, .. } if data == b"\xff"));
    assert!(matches!(&answer.content[6], Content::Text(text) if text.contains("hologram")));
}

#[test]
fn a_structured_part_alone_is_text_too_and_one_that_is_no_object_is_only_that() {
    let answer = answered(|request| {
        result(
            request,
            json!({"structuredContent": {"a": 1}, "content": []}),
        )
    })
    .unwrap();
    assert_eq!(answer.content, [Content::Text(r#"{"a":1}"#.into())]);
    let answer = answered(|request| result(request, json!({"structuredContent": [1]}))).unwrap();
    assert_eq!((answer.content.len(), answer.structured), (1, None));
}

#[test]
fn a_tool_that_fails_says_so_in_its_own_words() {
    let failure = answered(|request| {
        let content = json!([{"type": "text", "text": "no such\u{202e} ticket"}]);
        result(
            request,
            json!({"isError": true, "content": content, "structuredContent": {"why": 1}}),
        )
    })
    .unwrap_err();
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (Code::Upstream, "no such ticket")
    );
    let detail: Value = serde_json::from_str(&failure.detail.unwrap()).unwrap();
    assert_eq!(detail["structured"]["why"], 1);
}

#[test]
fn an_error_of_the_protocol_is_a_failure_of_the_call() {
    let failure = answered(|request| error(request, -32_602, "id is missing")).unwrap_err();
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (Code::InvalidArguments, "id is missing")
    );
    assert_eq!(
        answered(|request| error(request, -32_603, ""))
            .unwrap_err()
            .code,
        Code::Upstream
    );
    for (code, expected) in [
        (401, Code::UpstreamRefusedCredential),
        (429, Code::UpstreamRateLimited),
        (302, Code::Upstream),
        (500, Code::Upstream),
    ] {
        assert_eq!(refused(move |_| status(code, &json!({"x": 1}))), expected);
    }
}

#[test]
fn a_stream_tells_how_far_the_call_has_come_and_ends_with_the_answer() {
    let (host, got) = host(legacy, |request| {
        let progress = |token: &Value, done: u64| {
            let params =
                json!({"progressToken": token, "progress": done, "total": 2, "message": "on"});
            json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        };
        (request.method() == "tools/call").then(|| {
            stream(&[
                progress(request.id(), 1),
                progress(&json!("of another"), 50),
                json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}),
                progress(request.id(), 2),
                answer_of(request, "done"),
                json!({"jsonrpc": "2.0", "id": request.id(), "result": {"content": [{"type": "text", "text": "again"}]}}),
            ])
        })
    });
    let answer = call(json!({})).unwrap();
    assert_eq!(answer.content, [Content::Text("done".into())]);
    let on = Some("on".to_owned());
    assert_eq!(
        host.progress(),
        [(1.0, Some(2.0), on.clone()), (2.0, Some(2.0), on)]
    );
    assert_eq!(got.borrow().last().unwrap().method(), "tools/call");
}

#[test]
fn what_the_server_asks_is_not_offered_but_that_we_are_there() {
    let (_host, got) = host(legacy, |request| {
        let ask = |id: Value, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}});
        (request.method() == "tools/call").then(|| {
            stream(&[
                ask(json!(0), "ping"),
                ask(json!("a"), "sampling/createMessage"),
                ask(json!(2), "elicitation/create"),
                ask(json!(3), "roots/list"),
                answer_of(request, "done"),
            ])
        })
    });
    call(json!({})).unwrap();
    let got = got.borrow();
    let said: Vec<&Value> = got[got.len() - 4..]
        .iter()
        .map(|request| &request.body)
        .collect();
    assert_eq!(said[0], &json!({"jsonrpc": "2.0", "id": 0, "result": {}}));
    for (said, id) in said[1..].iter().zip([json!("a"), json!(2), json!(3)]) {
        assert_eq!(
            (&said["id"], &said["error"]["code"]),
            (&id, &json!(-32_601))
        );
    }
    assert!(
        got.iter()
            .rev()
            .take(4)
            .all(|request| request.header("mcp-session-id").is_some())
    );
}

#[test]
fn a_server_that_asks_and_asks_ends_the_call() {
    let endless = |request: &Request| {
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let mut messages = vec![ask; 50];
        messages.push(answer_of(request, "done"));
        stream(&messages)
    };
    assert_eq!(refused(endless), Code::Limit);
    let chatter = |request: &Request| {
        let line = json!({"jsonrpc": "2.0", "method": "notifications/message"});
        let mut messages = vec![line; 10_001];
        messages.push(answer_of(request, "done"));
        stream(&messages)
    };
    assert_eq!(refused(chatter), Code::Limit);
}

#[test]
fn an_answer_to_another_request_is_nobodys() {
    let other = |request: &Request, id: Value| {
        let mut message = answer_of(request, "of another");
        message["id"] = id;
        message
    };
    for id in [json!(1), json!("1"), json!(1.0), json!(-1), json!([1])] {
        let own = id.clone();
        assert_eq!(
            refused(move |request| toolhost_sdk::testing::json(200, &other(request, own.clone()))),
            Code::Upstream
        );
        let own = id.clone();
        let first = move |request: &Request| {
            stream(&[other(request, own.clone()), answer_of(request, "mine")])
        };
        assert_eq!(refused(first), Code::Upstream, "{id}");
    }
    let none =
        move |request: &Request| toolhost_sdk::testing::json(200, &other(request, Value::Null));
    assert_eq!(refused(none), Code::Upstream);
}

/// Servers take any id for text, or any number for one with a fraction.
#[test]
fn the_own_number_may_be_spelled_in_another_way() {
    let spellings: [fn(&Value) -> String; 4] = [
        |id| format!("{id:?}").replace("Number(", "").replace(')', ""),
        |id| format!("\"{id}\""),
        |id| format!("{id}.0"),
        |id| format!("\"{id}.00\""),
    ];
    for spelling in spellings {
        let (_host, _) = host(legacy, move |request| {
            (request.method() == "tools/call").then(|| {
                let body = answer_of(request, "mine").to_string();
                let own = format!("\"id\":{}", request.id());
                assert!(body.contains(&own), "{body}");
                let body = body.replace(&own, &format!("\"id\":{}", spelling(request.id())));
                Ok(Response {
                    status: 200,
                    headers: vec![("content-type".into(), "application/json".into())],
                    body: body.into_bytes(),
                })
            })
        });
        assert_eq!(call(json!({})).unwrap().content.len(), 1);
    }
}

/// What older and simpler servers write where nothing is at stake.
#[test]
fn what_is_missing_or_null_without_a_meaning_is_taken_as_it_is_meant() {
    let changes: [fn(&mut Value); 6] = [
        |message| message["result"]["content"] = Value::Null,
        |message| message["result"]["isError"] = Value::Null,
        |message| message["result"]["structuredContent"] = Value::Null,
        |message| message["result"] = json!({}),
        |message| drop(message.as_object_mut().unwrap().remove("jsonrpc")),
        |message| message["error"] = Value::Null,
    ];
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "",
    ] {
        for change in changes {
            let (_host, _) = host(legacy, move |request| {
                (request.method() == "tools/call").then(|| {
                    let mut message = answer_of(request, "a");
                    change(&mut message);
                    let field = ("content-type".to_owned(), kind.to_owned());
                    Ok(Response {
                        status: 200,
                        headers: if kind.is_empty() { vec![] } else { vec![field] },
                        body: format!("\u{feff}{message}").into_bytes(),
                    })
                })
            });
            call(json!({})).unwrap();
        }
    }
    let (_host, _) = host(legacy, |request| {
        let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "unreadable"}});
        (request.method() == "tools/call").then(|| toolhost_sdk::testing::json(200, &error))
    });
    assert!(call(json!({})).unwrap_err().message.contains("unreadable"));
}

#[test]
fn what_is_not_an_answer_is_refused() {
    let text = |kind: &str, body: String| {
        let kind = kind.to_owned();
        move |_: &Request| {
            Ok(Response {
                status: 200,
                headers: vec![("content-type".into(), kind.clone())],
                body: body.clone().into_bytes(),
            })
        }
    };
    assert_eq!(refused(text("text/html", "<p>".into())), Code::Upstream);
    assert_eq!(
        refused(text("application/json", "{".into())),
        Code::Upstream
    );
    assert_eq!(
        refused(text("application/json", "\"a\"".into())),
        Code::Upstream
    );
    assert_eq!(
        refused(text("application/json", "[".repeat(100_000))),
        Code::Upstream
    );
    assert_eq!(
        refused(text("text/event-stream", "data: {}\n\n".into())),
        Code::Upstream
    );
    assert_eq!(
        refused(text("text/event-stream", ": only\n\n".into())),
        Code::Upstream,
        "it ended"
    );
    assert_eq!(
        refused(|_: &Request| status(202, &Value::Null)),
        Code::Upstream
    );
    for change in [
        |message: &mut Value| message["jsonrpc"] = json!("1.0"),
        |message: &mut Value| message["error"] = json!({"code": 1, "message": ""}),
        |message: &mut Value| message["method"] = json!("tools/call"),
        |message: &mut Value| message["result"] = json!(7),
        |message: &mut Value| message["result"] = json!({"content": "a"}),
        |message: &mut Value| {
            message["result"] = json!({"content": vec![json!({"type": "text", "text": ""}); 1_001]})
        },
    ] {
        let changed = move |request: &Request| {
            let mut message = answer_of(request, "a");
            change(&mut message);
            toolhost_sdk::testing::json(200, &message)
        };
        assert!(matches!(refused(changed), Code::Upstream | Code::Limit));
    }
    // Two members of one name: which one counts would be anybody's guess.
    let twice = move |request: &Request| {
        let id = request.id();
        text(
            "application/json",
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}},"result":{{"content":[]}}}}"#),
        )(request)
    };
    assert_eq!(refused(twice), Code::Upstream);
}

#[test]
fn a_list_of_messages_holds_one_answer() {
    let batch = |count: usize| {
        move |request: &Request| {
            let mut messages = vec![json!({"jsonrpc": "2.0", "method": "notifications/message"})];
            messages.extend((0..count).map(|_| answer_of(request, "a")));
            toolhost_sdk::testing::json(200, &messages)
        }
    };
    assert!(answered(batch(1)).is_ok());
    assert_eq!(refused(batch(0)), Code::Upstream);
    assert_eq!(refused(batch(2)), Code::Upstream);
}

#[test]
fn what_asks_the_person_or_makes_a_task_is_unsupported() {
    for kind in ["input_required", "task", "else"] {
        let (_host, _) = host(modern, move |request| {
            let said = json!({"resultType": kind, "inputRequests": {}, "requestState": "x"});
            (request.method() == "tools/call").then(|| result(request, said))
        });
        assert_eq!(call(json!({})).unwrap_err().code, Code::Unsupported);
    }
}

#[test]
fn a_server_without_sessions_asks_nothing() {
    let (_host, got) = host(modern, |request| {
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        (request.method() == "tools/call").then(|| stream(&[ask, answer_of(request, "a")]))
    });
    assert_eq!(call(json!({})).unwrap_err().code, Code::Upstream);
    assert_eq!(got.borrow().len(), 2, "it gets no answer");
}

#[test]
fn arguments_are_repeated_in_the_fields_that_the_server_wants() {
    let descriptor = r#"{"n":"get_ticket","h":[["region","mcp-param-region"],["n","mcp-param-n"],["o","mcp-param-o"]]}"#;
    let (_host, got) = host(modern, |_| None);
    call_tool(descriptor, json!({"region": "é", "n": 7, "o": null})).unwrap();
    let got = got.borrow();
    let call = got.last().unwrap();
    assert_eq!(call.header("mcp-param-region"), Some("=?base64?w6k=?="));
    assert_eq!(call.header("mcp-param-n"), Some("7"));
    assert_eq!(call.header("mcp-param-o"), None);
    let long = call_tool(descriptor, json!({"region": "x".repeat(9_000)}));
    assert_eq!(long.unwrap_err().code, Code::InvalidArguments);
}

/// Blocks beside one that is broken are as good as they were.
#[test]
fn a_block_that_is_incomplete_is_named_and_costs_no_other() {
    for (broken, why) in [
        (json!({"type": "text"}), "incomplete"),
        (json!({"type": "image", "data": "\u{a7}"}), "not base64"),
        (
            json!({"type": "audio", "mimeType": "audio/wav"}),
            "incomplete",
        ),
        (
            json!({"type": "resource", "resource": {"uri": "a"}}),
            "incomplete",
        ),
        (
            json!({"type": "resource", "resource": {"text": "a"}}),
            "incomplete",
        ),
        (json!({"type": "resource_link"}), "incomplete"),
    ] {
        let content = json!({"content": [broken, {"type": "text", "text": "good"}]});
        let blocks = answered(move |request| result(request, content.clone()))
            .unwrap()
            .content;
        let said = format!("{:?}", blocks[0]);
        assert!(
            said.contains("was left out") && said.contains(why),
            "{said}"
        );
        assert!(matches!(&blocks[1], Content::Text(text) if text == "good"));
    }
}

#[test]
fn bytes_may_be_of_either_alphabet_or_a_data_url() {
    for data in [
        "-_-_",
        "+/+/",
        "+/\n+/",
        "data:image/png;base64,+/+/",
        "DATA:;base64,-_-_",
    ] {
        let content =
            json!({"content": [{"type": "image", "mimeType": "image/png", "data": data}]});
        let blocks = answered(move |request| result(request, content.clone()))
            .unwrap()
            .content;
        assert!(
            matches!(&blocks[0], Content::Image { data, .. } if data == &[0xfb, 0xff, 0xbf]),
            "{data}: {blocks:?}"
        );
    }
}

#[test]
fn an_event_that_the_end_of_the_stream_ends_is_an_answer_where_it_is_whole() {
    let stream = |cut: usize| {
        move |request: &Request| {
            let mut body = format!("data: {}", answer_of(request, "a"));
            body.truncate(body.len() - cut);
            Ok(Response {
                status: 200,
                headers: vec![("content-type".into(), "text/event-stream".into())],
                body: body.into_bytes(),
            })
        }
    };
    answered(stream(0)).unwrap();
    assert_eq!(refused(stream(1)), Code::Upstream);
}

#[test]
fn the_number_of_an_error_may_be_written_in_other_ways() {
    for code in [json!(-32602), json!(-32602.0), json!("-32602")] {
        let said = json!({"code": code, "message": "what?"});
        let failure = answered(move |request| {
            let message = json!({"jsonrpc": "2.0", "id": request.id(), "error": said});
            toolhost_sdk::testing::json(200, &message)
        });
        assert_eq!(failure.unwrap_err().code, Code::InvalidArguments);
    }
}
