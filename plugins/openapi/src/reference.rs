//! `$ref` inside the document (RFC 6901, in a URI fragment).

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::problem::Problem;

/// References to references: nobody needs more, and a circle ends here.
const MAX_HOPS: usize = 32;

/// What a reference names.
///
/// # Errors
/// It is not of this document, or leads nowhere.
pub(crate) fn resolve<'d>(root: &'d Value, reference: &str) -> Result<&'d Value, Problem> {
    let refuse = |why: &str| Problem::Reference(format!("{:?} {why}", shortened(reference)));
    let Some(pointer) = reference.strip_prefix('#') else {
        return Err(refuse("leads outside the document"));
    };
    let pointer = percent_decode_str(pointer)
        .decode_utf8()
        .map_err(|_| refuse("is not UTF-8"))?;
    if pointer.is_empty() || !pointer.starts_with('/') {
        return Err(refuse("is not a pointer into the document"));
    }
    root.pointer(&pointer)
        .ok_or_else(|| refuse("leads nowhere"))
}

/// Follows references (of a parameter, a response, …) until something stands there itself.
///
/// # Errors
/// As [`resolve`], or a circle.
pub(crate) fn follow<'d>(root: &'d Value, value: &'d Value) -> Result<&'d Value, Problem> {
    follow_to(root, value).map(|(value, _)| value)
}

/// Follows references, and gives the last one: what names the very place.
///
/// # Errors
/// As [`follow`].
pub(crate) fn follow_to<'d>(
    root: &'d Value,
    mut value: &'d Value,
) -> Result<(&'d Value, Option<&'d str>), Problem> {
    let mut last = None;
    for _ in 0..MAX_HOPS {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                value = resolve(root, reference)?;
                last = Some(reference);
            }
            None => return Ok((value, last)),
        }
    }
    Err(Problem::Reference(
        "is one of a circle, or of too long a chain".into(),
    ))
}

/// A key as it stands in a JSON Pointer in a URI fragment.
pub(crate) fn escaped(key: &str) -> String {
    in_fragment(&key.replace('~', "~0").replace('/', "~1"))
}

/// A step of a JSON Pointer as it stands in a URI fragment.
pub(crate) fn in_fragment(step: &str) -> String {
    percent_encoding::utf8_percent_encode(step, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn shortened(reference: &str) -> String {
    crate::text::line(reference, 120)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{follow, resolve};

    #[test]
    fn escapes_of_both_kinds_are_undone() {
        let root = json!({"a/b": {"c~d": {"e f": 1, "ż": 2}}, "list": [10, 20]});
        assert_eq!(resolve(&root, "#/a~1b/c~0d/e%20f").unwrap(), &json!(1));
        assert_eq!(resolve(&root, "#/a~1b/c~0d/%C5%BC").unwrap(), &json!(2));
        assert_eq!(resolve(&root, "#/a%7E1b/c~0d/e f").unwrap(), &json!(1));
        assert_eq!(resolve(&root, "#/list/1").unwrap(), &json!(20));
    }

    #[test]
    fn what_is_not_in_the_document_is_refused() {
        let root = json!({"a": 1});
        for reference in [
            "",
            "#",
            "#a",
            "a",
            "#/b",
            "other.json#/a",
            "https://evil.example/a",
            "#/a/b",
            "#/a%ff",
            "file:///etc/passwd",
        ] {
            assert_eq!(
                resolve(&root, reference).unwrap_err().code(),
                "reference",
                "{reference}"
            );
        }
    }

    #[test]
    fn a_circle_of_references_ends() {
        let root =
            json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}, "c": {"$ref": "#/d"}, "d": 7});
        assert!(follow(&root, &root["a"]).is_err());
        assert_eq!(follow(&root, &root["c"]).unwrap(), &json!(7));
    }
}
