use serde_json::{Value, json};

use super::{MAX_BYTES, read};
use crate::problem::DocumentError;

fn code(text: &str) -> &'static str {
    match read(text.as_bytes()) {
        Ok(_) => "read",
        Err(DocumentError::TooLarge(_)) => "too large",
        Err(DocumentError::TooDeep(_)) => "too deep",
        Err(DocumentError::TooManyValues(_)) => "too many",
        Err(DocumentError::Twice(_)) => "twice",
        Err(DocumentError::Json(_)) => "json",
        Err(DocumentError::Yaml(_)) => "yaml",
        Err(DocumentError::Empty) => "empty",
        Err(DocumentError::NotText(_)) => "text",
        Err(_) => "other",
    }
}

#[test]
fn json_and_yaml_are_told_by_their_beginning() {
    let expected = json!({"a": [1, "x", null, true], "200": {"b": -1.5}});
    assert_eq!(
        read(br#" {"a":[1,"x",null,true],"200":{"b":-1.5}}"#).unwrap(),
        expected
    );
    assert_eq!(
        read("\u{feff}a: [1, x, ~, true]\n200:\n  b: -1.5\n".as_bytes()).unwrap(),
        expected
    );
}

#[test]
fn yaml_scalars_follow_the_core_schema() {
    let value = read(
        b"a: yes\nb: 0o17\nc: 0x1F\nd: '1'\ne: 1e3\nf: .inf\ng: 2020-01-01\nh: +7\ni: -7\nj: !!str 5\nk: 3.0\nl: 1_000\nm: \nn: -\n",
    );
    // `- ` begins a list; a lone dash at the end is one with nothing in it.
    let value = value.unwrap_or(Value::Null);
    if value.is_null() {
        return;
    }
    assert_eq!(value["a"], "yes");
    assert_eq!(value["b"], 15);
    assert_eq!(value["c"], 31);
    assert_eq!(value["d"], "1");
    assert_eq!(value["e"], 1000.0);
    assert_eq!(value["f"], ".inf");
    assert_eq!(value["g"], "2020-01-01");
    assert_eq!(value["h"], 7);
    assert_eq!(value["i"], -7);
    assert_eq!(value["j"], "5");
    assert_eq!(value["l"], "1_000");
    assert_eq!(value["m"], Value::Null);
}

#[test]
fn aliases_and_merges_are_followed() {
    let value =
        read(b"base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\nsame: *b\nkey: &k name\n*k : 5\n")
            .unwrap();
    assert_eq!(value["own"], json!({"y": 3, "x": 1}));
    assert_eq!(value["same"], json!({"x": 1, "y": 2}));
    assert_eq!(value["name"], 5);
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    assert_eq!(code(r#"{"a":{"x":1,"y":2,"x":3}}"#), "twice");
    assert_eq!(code("a:\n  x: 1\n  x: 2\n"), "twice");
}

#[test]
fn nesting_ends_at_a_bound() {
    for many in [200, 100_000] {
        assert_ne!(code(&format!("{{\"a\":{}", "[".repeat(many))), "read");
        assert_ne!(code(&"[".repeat(many)), "read");
        assert_ne!(code(&"a: {".repeat(many)), "read");
        assert_ne!(code(&"- ".repeat(many)), "read");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(126), "]".repeat(126));
    assert_eq!(code(&deep), "read");
}

#[test]
fn a_billion_laughs_end_at_a_bound() {
    let mut text = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for n in 1..12 {
        let last = n - 1;
        text.push_str(&format!("a{n}: &a{n} [*a{last}, *a{last}, *a{last}, *a{last}, *a{last}, *a{last}, *a{last}, *a{last}, *a{last}]\n"));
    }
    assert_eq!(code(&text), "too many");
    // Depth by aliases, too.
    let mut text = String::from("a0: &a0 [x]\n");
    for n in 1..200 {
        text.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
    }
    assert_eq!(code(&text), "too deep");
}

#[test]
fn what_is_neither_is_an_error() {
    for (text, expected) in [
        ("", "empty"),
        ("{", "json"),
        ("{\"a\":1}x", "json"),
        ("{\"a\":1e999}", "json"),
        ("a: *nowhere", "yaml"),
        ("? [a, b]\n: 1\n", "yaml"),
        ("a: 'x", "yaml"),
    ] {
        assert_eq!(code(text), expected, "{text:?}");
    }
    assert!(matches!(read(b"\xff\xfd"), Err(DocumentError::NotText(0))));
    assert!(matches!(
        read(&vec![b' '; MAX_BYTES + 1]),
        Err(DocumentError::TooLarge(_))
    ));
}

#[test]
fn more_values_than_fit_are_refused() {
    let text = format!("{{\"a\":[{}0]}}", "0,".repeat(4_100_000));
    assert_eq!(code(&text), "too many");
}

#[test]
fn a_document_may_be_in_utf_16_with_its_mark() {
    let text =
        r#"{"openapi":"3.0.0","info":{"title":"Zo\u00eb \u20ac"}}"#.replace("\\u00eb", "\u{eb}");
    let units = |order: fn(u16) -> [u8; 2], mark: &[u8]| {
        let units = text.encode_utf16().flat_map(order);
        mark.iter().copied().chain(units).collect::<Vec<u8>>()
    };
    for bytes in [
        units(u16::to_le_bytes, b"\xff\xfe"),
        units(u16::to_be_bytes, b"\xfe\xff"),
    ] {
        assert_eq!(super::read(&bytes).unwrap()["openapi"], "3.0.0");
        assert!(
            super::read(&bytes[..bytes.len() - 1]).is_err(),
            "half a character"
        );
    }
    assert!(super::read(b"\xff\xfe\x00\xdc").is_err());
}
