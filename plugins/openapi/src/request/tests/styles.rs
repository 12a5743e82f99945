//! Every row of the table "Style Examples" of OpenAPI 3.1, for the string `blue`, the list and the
//! object of the specification.

use serde_json::{Value, json};

use super::{built, pairs};

fn list() -> Value {
    json!(["blue", "black", "brown"])
}

fn object() -> Value {
    json!({"R": 100, "G": 200, "B": 150})
}

fn schema(value: &Value) -> Value {
    match value {
        Value::Array(_) => json!({"type": "array", "items": {"type": "string"}}),
        Value::Object(_) => json!({"type": "object", "properties": {"R": {}, "G": {}, "B": {}}}),
        _ => json!({"type": "string"}),
    }
}

fn operation(place: &str, style: &str, explode: bool, value: &Value) -> Value {
    json!({"parameters": [{"name": "color", "in": place, "required": true, "style": style, "explode": explode, "schema": schema(value)}]})
}

/// The filled-in path, not encoded.
fn path(style: &str, explode: bool, value: Value) -> String {
    let operation = operation("path", style, explode, &value);
    let request = built("get", "/{color}", operation, json!({ "color": value })).unwrap();
    let (_, value) = request.parameters.first().unwrap();
    request.path.replace("{color}", value)
}

fn query(style: &str, explode: bool, value: Value) -> String {
    let operation = operation("query", style, explode, &value);
    let request = built("get", "/a", operation, json!({ "color": value })).unwrap();
    let pairs: Vec<String> = request
        .query
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join("&")
}

#[test]
fn path_styles() {
    for (style, explode, value, expected) in [
        ("simple", false, json!("blue"), "/blue"),
        ("simple", false, list(), "/blue,black,brown"),
        ("simple", false, object(), "/R,100,G,200,B,150"),
        ("simple", true, json!("blue"), "/blue"),
        ("simple", true, list(), "/blue,black,brown"),
        ("simple", true, object(), "/R=100,G=200,B=150"),
        ("label", false, json!("blue"), "/.blue"),
        ("label", false, list(), "/.blue,black,brown"),
        ("label", false, object(), "/.R,100,G,200,B,150"),
        ("label", true, json!("blue"), "/.blue"),
        ("label", true, list(), "/.blue.black.brown"),
        ("label", true, object(), "/.R=100.G=200.B=150"),
        ("matrix", false, json!("blue"), "/;color=blue"),
        ("matrix", false, list(), "/;color=blue,black,brown"),
        ("matrix", false, object(), "/;color=R,100,G,200,B,150"),
        ("matrix", true, json!("blue"), "/;color=blue"),
        (
            "matrix",
            true,
            list(),
            "/;color=blue;color=black;color=brown",
        ),
        ("matrix", true, object(), "/;R=100;G=200;B=150"),
    ] {
        assert_eq!(
            path(style, explode, value.clone()),
            expected,
            "{style} {explode} {value}"
        );
    }
}

#[test]
fn query_styles() {
    for (style, explode, value, expected) in [
        ("form", false, json!("blue"), "color=blue"),
        ("form", false, json!(""), "color="),
        ("form", false, list(), "color=blue,black,brown"),
        ("form", false, object(), "color=R,100,G,200,B,150"),
        ("form", true, json!("blue"), "color=blue"),
        ("form", true, list(), "color=blue&color=black&color=brown"),
        ("form", true, object(), "R=100&G=200&B=150"),
        ("spaceDelimited", false, list(), "color=blue black brown"),
        ("spaceDelimited", false, object(), "color=R 100 G 200 B 150"),
        (
            "spaceDelimited",
            true,
            list(),
            "color=blue&color=black&color=brown",
        ),
        ("pipeDelimited", false, list(), "color=blue|black|brown"),
        ("pipeDelimited", false, object(), "color=R|100|G|200|B|150"),
        (
            "pipeDelimited",
            true,
            list(),
            "color=blue&color=black&color=brown",
        ),
        (
            "deepObject",
            true,
            object(),
            "color[R]=100&color[G]=200&color[B]=150",
        ),
        (
            "deepObject",
            true,
            list(),
            "color[0]=blue&color[1]=black&color[2]=brown",
        ),
        ("deepObject", true, json!("blue"), "color=blue"),
        ("form", true, json!([]), ""),
        ("form", false, json!([]), ""),
        ("form", true, json!(5), "color=5"),
        ("form", true, json!(true), "color=true"),
    ] {
        assert_eq!(
            query(style, explode, value.clone()),
            expected,
            "{style} {explode} {value}"
        );
    }
}

#[test]
fn header_and_cookie_styles() {
    let header = |explode, value: Value| {
        let operation = operation("header", "simple", explode, &value);
        let request = built("get", "/a", operation, json!({ "color": value })).unwrap();
        request.headers[0].clone()
    };
    assert_eq!(
        header(false, json!("blue")),
        ("color".into(), "blue".into())
    );
    assert_eq!(header(false, list()).1, "blue,black,brown");
    assert_eq!(header(false, object()).1, "R,100,G,200,B,150");
    assert_eq!(header(true, object()).1, "R=100,G=200,B=150");
    let cookie = |explode, value: Value| {
        let operation = operation("cookie", "form", explode, &value);
        let request = built("get", "/a", operation, json!({ "color": value })).unwrap();
        assert_eq!(request.headers[0].0, "cookie");
        request.headers[0].1.clone()
    };
    assert_eq!(cookie(true, json!("blue")), "color=blue");
    assert_eq!(cookie(false, list()), "color=blue%2Cblack%2Cbrown");
    assert_eq!(cookie(false, json!("a; admin=1")), "color=a%3B%20admin=1");
}

#[test]
fn nested_members_and_their_names() {
    let schema = json!({"type": "object"});
    let operation = json!({"parameters": [{"name": "f", "in": "query", "style": "deepObject", "explode": true, "schema": schema}]});
    let request = built(
        "get",
        "/a",
        operation.clone(),
        json!({"f": {"a": {"b": [1, null, "x"]}, "c": null}}),
    )
    .unwrap();
    assert_eq!(
        pairs(&request.query),
        [("f[a][b][0]", "1"), ("f[a][b][2]", "x")]
    );
    for name in ["", "a]", "a[b", "]&admin"] {
        assert!(
            built("get", "/a", operation.clone(), json!({"f": {name: 1}})).is_err(),
            "{name}"
        );
    }
    let mut deep = json!(1);
    for _ in 0..20 {
        deep = json!([deep]);
    }
    assert!(built("get", "/a", operation, json!({ "f": deep })).is_err());
}

#[test]
fn a_part_that_holds_the_separator_is_refused() {
    for (place, style, explode, value) in [
        ("query", "form", false, json!(["a,b"])),
        ("query", "pipeDelimited", false, json!(["a|b"])),
        ("query", "spaceDelimited", false, json!(["a b"])),
        ("header", "simple", true, json!({"R": "1,G=2"})),
        ("header", "simple", true, json!({"R": "1=2"})),
    ] {
        let operation = operation(place, style, explode, &value);
        assert!(
            built("get", "/a", operation, json!({ "color": value })).is_err(),
            "{style} {value}"
        );
    }
    let matrix = operation("path", "matrix", true, &list());
    assert!(built("get", "/{color}", matrix, json!({"color": ["a;admin=1"]})).is_err());
}

#[test]
fn a_header_holds_visible_ascii_alone() {
    for value in ["a\r\nx: 1", "\0", "ż", " a", "a ", "a\tb"] {
        let operation = operation("header", "simple", false, &json!(""));
        assert!(
            built("get", "/a", operation, json!({ "color": value })).is_err(),
            "{value:?}"
        );
    }
}

#[test]
fn a_parameter_with_content_is_json() {
    let operation = json!({"parameters": [{"name": "f", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}}]});
    let request = built("get", "/a", operation, json!({"f": {"a": [1]}})).unwrap();
    assert_eq!(pairs(&request.query), [("f", r#"{"a":[1]}"#)]);
}

#[test]
fn a_cookie_of_an_object_is_a_cookie_for_each_member_and_no_name_ends_one() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let operation =
        json!({"parameters": [{"name": "c", "in": "cookie", "schema": schema}], "responses": {}});
    let document = json!({"openapi": "3.1.0", "paths": {"/a": {"get": operation.clone()}}});
    let found = crate::discover::discover(document.to_string().as_bytes()).unwrap();
    assert_eq!(found.tools[0].operation.cookies, ["c", "a"]);
    let request = built(
        "get",
        "/a",
        operation,
        json!({"c": {"a": "1", "x; b": "2"}}),
    )
    .unwrap();
    assert_eq!(pairs(&request.headers), [("cookie", "a=1; x%3B%20b=2")]);
}
