use crate::descriptor::Format;

/// A media type without its parameters, in lower case; `None` where it is none.
pub(crate) fn essence(text: &str) -> Option<String> {
    let essence = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let token = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&byte);
        !part.is_empty() && part.len() <= 100 && part.bytes().all(plain)
    };
    let (kind, subtype) = essence.split_once('/')?;
    (token(kind) && token(subtype)).then_some(essence)
}

pub(crate) fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// What a person could read.
pub(crate) fn is_text(essence: &str) -> bool {
    const KNOWN: [&str; 13] = [
        "application/xml",
        "application/yaml",
        "application/x-yaml",
        "application/graphql",
        "application/javascript",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/json-seq",
        "application/sql",
        "application/toml",
        "application/csv",
        "application/x-www-form-urlencoded",
    ];
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+yaml")
        || essence.ends_with("+json-seq")
        || KNOWN.contains(&essence)
}

/// How a body of this type is written; `None` for the parts of e-mail and for patterns.
pub(crate) fn format(essence: &str) -> Option<Format> {
    Some(match essence {
        "*/*" | "application/*" => Format::Json,
        "application/x-www-form-urlencoded" => Format::Form,
        "multipart/form-data" => Format::Multipart,
        essence if is_json(essence) => Format::Json,
        "text/*" => Format::Text,
        essence if essence.starts_with("multipart/") => return None,
        essence if is_text(essence) => Format::Text,
        _ => Format::Binary,
    })
}

/// What is sent for a type that a document gives as a pattern.
pub(crate) fn concrete(essence: &str) -> String {
    match essence {
        "*/*" | "application/*" => "application/json".to_owned(),
        "text/*" => "text/plain".to_owned(),
        other if other.contains('*') => "application/octet-stream".to_owned(),
        other => other.to_owned(),
    }
}
