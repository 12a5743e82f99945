use serde_json::{Value, json};

use super::built;
use crate::request::HostRequest;

fn post(kind: &str, media: Value, arguments: Value) -> Result<HostRequest, String> {
    let operation = json!({"requestBody": {"required": true, "content": {kind: media}}});
    built("post", "/a", operation, arguments)
}

fn text(request: &HostRequest) -> &str {
    std::str::from_utf8(request.body.as_deref().unwrap()).unwrap()
}

fn kind(request: &HostRequest) -> &str {
    &request
        .headers
        .iter()
        .find(|(name, _)| name == "content-type")
        .unwrap()
        .1
}

#[test]
fn json_members_are_arguments_of_their_own() {
    let media =
        json!({"schema": {"type": "object", "required": ["a"], "properties": {"a": {}, "b": {}}}});
    let request = post(
        "application/json",
        media,
        json!({"b": [1], "a": {"x": "\u{e9}"}}),
    )
    .unwrap();
    assert_eq!(text(&request), r#"{"a":{"x":"é"},"b":[1]}"#);
    assert_eq!(kind(&request), "application/json");
}

#[test]
fn json_that_is_more_than_its_members_is_one_argument() {
    for schema in [
        json!({"type": "array", "items": {}}),
        json!({"oneOf": [{"type": "object"}]}),
        json!({"type": "object", "properties": {"a": {}}, "additionalProperties": {}}),
        json!({"type": "object", "properties": {"a": {}}, "allOf": []}),
        json!({}),
    ] {
        let request = post(
            "application/vnd.x+json",
            json!({ "schema": schema }),
            json!({"body": [1, {"a": null}]}),
        )
        .unwrap();
        assert_eq!(text(&request), r#"[1,{"a":null}]"#);
        assert_eq!(kind(&request), "application/vnd.x+json");
    }
}

#[test]
fn an_optional_body_is_left_out() {
    let operation = json!({"requestBody": {"content": {"application/json": {"schema": {"type": "object", "properties": {"a": {}}}}}}});
    assert_eq!(
        built("post", "/a", operation.clone(), json!({}))
            .unwrap()
            .body,
        None
    );
    assert_eq!(
        built("post", "/a", operation, json!({"a": 1}))
            .unwrap()
            .body
            .unwrap(),
        b"{\"a\":1}"
    );
    let request = post(
        "application/json",
        json!({"schema": {"type": "object", "properties": {"a": {}}}}),
        json!({}),
    )
    .unwrap();
    assert_eq!(text(&request), "{}");
}

#[test]
fn forms_are_encoded() {
    let media = json!({
        "schema": {"type": "object", "properties": {"a": {}, "list": {}, "object": {}, "deep": {}, "comma": {}, "json": {}}},
        "encoding": {
            "deep": {"style": "deepObject", "explode": true},
            "comma": {"style": "form", "explode": false},
            "json": {"contentType": "application/json"},
        }
    });
    let arguments = json!({"a": "x &=ż", "list": [1, 2], "object": {"k": 1}, "deep": {"k": [true]}, "comma": ["p", "q"], "json": ["j"]});
    let request = post("application/x-www-form-urlencoded", media, arguments).unwrap();
    assert_eq!(
        text(&request),
        "a=x+%26%3D%C5%BC&list=1&list=2&object=%7B%22k%22%3A1%7D&deep%5Bk%5D%5B0%5D=true&comma=p%2Cq&json=%5B%22j%22%5D"
    );
}

#[test]
fn a_multipart_form_has_files() {
    let media = json!({
        "schema": {"type": "object", "properties": {
            "file": {"type": "string", "format": "binary"}, "note": {"type": "string"}, "meta": {"type": "object"},
            "many": {"type": "array", "items": {"type": "string", "format": "binary"}},
        }},
        "encoding": {"file": {"contentType": "image/png, image/jpeg"}}
    });
    let request = post(
        "multipart/form-data",
        media.clone(),
        json!({"file": "AAEC", "note": "hi", "meta": {"a": 1}, "many": ["eA==", "eQ"]}),
    )
    .unwrap();
    let boundary = kind(&request)
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let body = request.body.as_deref().unwrap();
    let body = String::from_utf8_lossy(body);
    let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 7, "{body}");
    assert_eq!(
        parts[1],
        "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\nContent-Type: image/png\r\n\r\n\0\u{1}\u{2}\r\n"
    );
    assert!(
        parts[2].contains("name=\"note\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi\r\n")
    );
    assert!(parts[3].contains("Content-Type: application/json\r\n\r\n{\"a\":1}\r\n"));
    assert!(parts[4].ends_with("\r\n\r\nx\r\n") && parts[5].ends_with("\r\n\r\ny\r\n"));
    assert_eq!(parts[6], "--\r\n");
    assert!(
        post("multipart/form-data", media, json!({"file": "!"}))
            .unwrap_err()
            .contains("base64")
    );
}

#[test]
fn a_file_has_the_name_that_the_model_gives_and_never_a_place() {
    let media = json!({"schema": {"type": "object", "properties": {
        "file": {"type": "string", "format": "binary"}, "many": {"type": "array", "items": {"type": "string", "format": "binary"}}}}});
    let sent = |arguments: Value| {
        text(&post("multipart/form-data", media.clone(), arguments).unwrap()).to_owned()
    };
    let named =
        sent(json!({"file": {"content": "eA==", "filename": "../../invoice \"7\".pdf\r\n"}}));
    assert!(
        named.contains("name=\"file\"; filename=\"invoice %227%22.pdf\"\r\n"),
        "{named}"
    );
    assert!(named.contains("\r\n\r\nx\r\n"), "{named}");
    let url = sent(json!({"file": "data:application/pdf;name=a%2Fb.pdf;base64,eA=="}));
    assert!(
        url.contains("filename=\"b.pdf\"") && url.contains("\r\n\r\nx\r\n"),
        "{url}"
    );
    let many = sent(json!({"many": [{"content": "eA", "filename": "one.txt"}, "eQ"]}));
    assert!(
        many.contains("filename=\"one.txt\"") && many.contains("filename=\"many\""),
        "{many}"
    );
    for place in ["..", "/", "a/.."] {
        assert!(
            sent(json!({"file": {"content": "eA==", "filename": place}}))
                .contains("filename=\"file\"")
        );
    }
}

#[test]
fn bytes_may_be_a_data_url_or_base64_of_either_alphabet() {
    let sent = |given: &str| {
        let request = post(
            "application/octet-stream",
            json!({}),
            json!({ "body": given }),
        );
        request.map(|request| request.body.unwrap())
    };
    for given in [
        "-_8=",
        "+/8",
        "-_8",
        "+/\n8=\n",
        "data:;base64,+/8=",
        "DATA:image/png;base64,-_8",
        "data:x/y;charset=a;base64,%2B%2F8%3D",
        "data:,%fb%ff",
    ] {
        assert_eq!(sent(given).unwrap(), b"\xfb\xff", "{given}");
    }
    for bad in ["!", "data:;base64,!", "data:", "a"] {
        assert!(sent(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_member_that_the_host_sets_is_not_missed_and_has_a_body_to_be_set_in() {
    let schema = json!({"type": "object", "required": ["secret"], "properties": {"secret": {"type": "string"}, "a": {}}});
    let request = post("application/json", json!({ "schema": schema }), json!({})).unwrap();
    assert_eq!(text(&request), "{}");
    let operation = json!({"requestBody": {"required": true, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}});
    let request = built("post", "/a", operation, json!({"a": 1})).unwrap();
    assert_eq!(text(&request), "a=1");
}

#[test]
fn a_part_cannot_end_its_boundary_or_its_header() {
    let media = json!({"schema": {"type": "object", "additionalProperties": {}}});
    let first = post(
        "multipart/form-data",
        media.clone(),
        json!({"body": {"a\"\r\nX: 1": "x"}}),
    )
    .unwrap();
    assert!(text(&first).contains("name=\"a%22%0D%0AX: 1\""));
    let boundary = kind(&first).split_once("boundary=").unwrap().1.to_owned();
    // The boundary follows from the length, so a guess needs the same one.
    let evil = format!("--{boundary}--");
    let again = post("multipart/form-data", media, json!({"body": {"a": evil}})).unwrap();
    let chosen = kind(&again).split_once("boundary=").unwrap().1;
    assert!(!evil.contains(chosen));
}

#[test]
fn texts_and_bytes_are_sent_as_they_are() {
    let request = post(
        "application/xml",
        json!({"schema": {"type": "object"}}),
        json!({"body": "<a>\u{17c}</a>"}),
    )
    .unwrap();
    assert_eq!(
        (text(&request), kind(&request)),
        ("<a>ż</a>", "application/xml")
    );
    let request = post("application/pdf", json!({}), json!({"body": "AP8="})).unwrap();
    assert_eq!(request.body.as_deref(), Some(&[0, 255][..]));
    assert!(post("application/pdf", json!({}), json!({"body": "***"})).is_err());
}

#[test]
fn the_most_telling_media_type_is_chosen() {
    let operation = |kinds: &[&str]| {
        let content: serde_json::Map<String, Value> = kinds
            .iter()
            .map(|kind| ((*kind).to_owned(), json!({})))
            .collect();
        json!({"requestBody": {"required": true, "content": content}})
    };
    for (kinds, expected) in [
        (
            &[
                "text/plain",
                "application/xml",
                "application/json; charset=utf-8",
            ][..],
            "application/json",
        ),
        (
            &["multipart/form-data", "application/x-www-form-urlencoded"],
            "application/x-www-form-urlencoded",
        ),
        (&["*/*"], "application/json"),
        (
            &["multipart/mixed", "application/octet-stream"],
            "application/octet-stream",
        ),
        (&["image/*"], "application/octet-stream"),
    ] {
        let body = if expected.contains("octet") {
            json!("eA==")
        } else {
            json!({})
        };
        let request = built("post", "/a", operation(kinds), json!({ "body": body })).unwrap();
        assert_eq!(kind(&request), expected);
    }
}
