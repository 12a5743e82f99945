use serde_json::{Value, json};
use toolhost_sdk::{Code, Content, Response};

use super::answer;
use crate::descriptor::OperationDescriptor;

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

fn wrapped(wrapped: bool) -> OperationDescriptor {
    OperationDescriptor {
        wrapped,
        ..OperationDescriptor::default()
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
    assert_eq!(
        answer_.structured.as_deref().map(str::as_bytes),
        Some(&body[..])
    );
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
    let list = answer(
        &wrapped(false),
        "t",
        response(200, "application/json", b"[1]"),
    )
    .unwrap();
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
    assert!(matches!(
        of("audio/wav", b"RIFF\xff"),
        Content::Audio { .. }
    ));
    assert!(
        matches!(of("application/pdf", b"%PDF\xff"), Content::BlobResource { uri, .. } if uri == "response:tool")
    );
    // Without a charset, from a server of long ago.
    for kind in ["text/plain", "text/csv; header=present", "application/json"] {
        assert_eq!(
            of(kind, b"\"Zo\xeb\""),
            Content::Text("\"Zo\u{eb}\"".into()),
            "{kind}"
        );
    }
    assert_eq!(
        of("text/plain", b"\x80 \x93a\x94 \x8d"),
        Content::Text("€ “a” \u{8d}".into())
    );
    assert_eq!(
        of(
            "application/json",
            "\"Zoë \u{1f600}\"".as_bytes().split_at(9).0
        ),
        Content::Text("\"Zoë \u{fffd}".into())
    );
    let refused = answer(
        &wrapped(false),
        "t",
        response(400, "text/plain", b"Zo\xeb fehlt"),
    )
    .unwrap_err();
    assert!(
        refused.message.ends_with(": Zoë fehlt"),
        "{}",
        refused.message
    );
    for bytes in [&b"Z\0o\0\xeb\0"[..], b"\x89PNG\x1a"] {
        assert!(matches!(
            of("text/plain", bytes),
            Content::BlobResource { .. }
        ));
    }
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
        (401, Code::UpstreamRefusedCredential),
        (403, Code::UpstreamRefusedCredential),
        (404, Code::Upstream),
        (429, Code::UpstreamRateLimited),
        (302, Code::Upstream),
        (503, Code::UpstreamUnavailable),
        (500, Code::Upstream),
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

#[test]
fn fields_that_carry_a_part_of_the_answer_follow_as_text() {
    let mut response = response(201, "application/json", b"{}");
    let fields = [
        ("location", "/v1/things/7"),
        ("link", "</v1/things?page=2>; rel=\"next\""),
        ("x-total-count", "57"),
        ("x-own", "named by the operator"),
        ("etag", "\"a\""),
        ("content-disposition", "attachment; filename=\"a.csv\""),
        ("retry-after", "7"),
        ("date", "Mon, 30 Nov 2026 10:00:00 GMT"),
        ("x-ratelimit-remaining", "4"),
    ];
    response
        .headers
        .extend(fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let told = answer(&wrapped(false), "t", response.clone()).unwrap();
    assert_eq!(told.structured.as_deref(), Some("{}"));
    assert_eq!(
        told.content[1..],
        [Content::Text(
            "location: /v1/things/7\nlink: </v1/things?page=2>; rel=\"next\"\nx-total-count: 57\nx-own: named by the operator\netag: \"a\"\ncontent-disposition: attachment; filename=\"a.csv\"\nretry-after: 7".into()
        )]
    );
    response.headers = vec![("x-own".into(), "x".repeat(100_000)); 64];
    let told = answer(&wrapped(false), "t", response).unwrap();
    assert!(matches!(&told.content[1], Content::Text(text) if text.len() <= 8 << 10));
}

#[test]
fn a_wait_is_told_in_seconds_and_a_missing_scope_by_name() {
    let mut limited = response(429, "text/plain", b"slow down");
    limited.headers.push(("retry-after".into(), "7".into()));
    let failure = answer(&wrapped(false), "t", limited).unwrap_err();
    let detail: Value = serde_json::from_str(&failure.detail.unwrap()).unwrap();
    assert_eq!(
        (failure.code, detail["retry_after"].as_u64()),
        (Code::UpstreamRateLimited, Some(7))
    );
    let mut refused = response(403, "text/plain", b"");
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"files:write\"";
    refused
        .headers
        .push(("www-authenticate".into(), challenge.into()));
    let failure = answer(&wrapped(false), "t", refused).unwrap_err();
    assert_eq!(failure.code, Code::UpstreamRefusedCredential);
    assert!(
        failure.message.contains("lacks the scope files:write"),
        "{}",
        failure.message
    );
}
