use serde_json::{Value, json};
use toolhost_sdk::{Code, Content, Response};

use super::answer;
use crate::descriptor::Descriptor;

fn response(status: u16, kind: &str, body: &[u8]) -> Response {
    let headers = if kind.is_empty() {
        vec![]
    } else {
        vec![("content-type".to_owned(), kind.to_owned())]
    };
    Response {
        status,
        headers,
        body: body.to_vec(),
    }
}

fn wrapped(wrapped: bool) -> Descriptor {
    Descriptor {
        wrapped,
        ..Descriptor::default()
    }
}

#[test]
fn json_is_structured_and_text_verbatim() {
    let body = br#"{"id": 12345678901234567890123, "x": 1.10}"#;
    let answer_ = answer(
        &wrapped(false),
        "t",
        response(200, "application/json; charset=utf-8", body),
    )
    .unwrap();
    assert_eq!(answer_.structured.as_deref().map(str::as_bytes), Some(&body[..]));
    assert_eq!(
        answer_.content,
        [Content::Text(String::from_utf8(body.to_vec()).unwrap())]
    );
    let list = answer(
        &wrapped(true),
        "t",
        response(200, "application/vnd.a+json", b"[1]"),
    )
    .unwrap();
    assert_eq!(list.structured.as_deref(), Some(r#"{"result":[1]}"#));
    let list = answer(&wrapped(false), "t", response(200, "application/json", b"[1]")).unwrap();
    assert_eq!((list.structured, list.content.len()), (None, 1));
    let broken = answer(
        &wrapped(false),
        "t",
        response(200, "application/json", b"{\"a\":"),
    )
    .unwrap();
    assert_eq!(
        (broken.structured, broken.content),
        (None, vec![Content::Text("{\"a\":".into())])
    );
}

#[test]
fn anything_else_is_what_it_is() {
    let of = |kind: &str, body: &[u8]| {
        answer(&wrapped(false), "tool", response(200, kind, body))
            .unwrap()
            .content
            .remove(0)
    };
    assert_eq!(of("text/csv", b"a,b"), Content::Text("a,b".into()));
    assert_eq!(of("application/xml", b"<a/>"), Content::Text("<a/>".into()));
    assert!(matches!(of("image/png", b"\x89PNG"), Content::Image { .. }));
    assert!(matches!(of("audio/wav", b"RIFF\xff"), Content::Audio { .. }));
    assert!(
        matches!(of("application/pdf", b"%PDF\xff"), Content::BlobResource { uri, .. } if uri == "response:tool")
    );
    assert!(matches!(of("text/plain", b"\xff"), Content::BlobResource { .. }));
    assert!(matches!(of("", b"\xff"), Content::BlobResource { .. }));
    assert_eq!(
        of("application/json", b""),
        Content::Text("done (status 200)".into())
    );
}

#[test]
fn any_other_status_is_a_failure_that_says_which() {
    for (status, code) in [
        (400, Code::Upstream),
        (401, Code::Denied),
        (403, Code::Denied),
        (404, Code::Upstream),
        (429, Code::Limit),
        (302, Code::Upstream),
        (503, Code::Upstream),
    ] {
        let body = format!("{{\"why\":\"\u{202e}{}\"}}", "x".repeat(10_000));
        let failure = answer(
            &wrapped(false),
            "t",
            response(status, "application/json", body.as_bytes()),
        )
        .unwrap_err();
        assert_eq!(failure.code, code, "{status}");
        assert!(failure.message.contains(&status.to_string()) && failure.message.len() < 700);
        let detail: Value = serde_json::from_str(&failure.detail.unwrap()).unwrap();
        assert_eq!(detail["status"], json!(status));
        let text = detail["body"].as_str().unwrap();
        assert!(text.len() < 4_200 && !text.contains('\u{202e}'));
    }
}
