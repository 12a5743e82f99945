use super::Mistake;
use super::binary::{bytes_of, file_name, name_of};
use super::body::Member;
use super::value::{items, members, scalar};
use crate::descriptor::{BodyEncoding, FormPart};

/// A boundary that stands in the content is followed by the next; nobody gets this far.
const MAX_TRIES: u64 = 1_000;

/// `multipart/form-data` (RFC 7578): the boundary and the body. A file is base64 in the argument, a
/// list is a part for each item, an object a part of JSON.
pub(super) fn write(
    body: &BodyEncoding,
    members: &[Member<'_>],
) -> Result<(String, Vec<u8>), Mistake> {
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    for member in members {
        let said = body.parts.iter().find(|part| part.name == member.key);
        let raw = member.value.get();
        if raw.get().trim_start().starts_with('[') {
            for item in items(raw) {
                parts.extend(one(member, said, &item)?);
            }
        } else {
            parts.extend(one(member, said, raw)?);
        }
    }
    let boundary = boundary(&parts);
    let mut bytes = Vec::new();
    for (head, content) in &parts {
        bytes.extend_from_slice(format!("--{boundary}\r\n{head}\r\n").as_bytes());
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((boundary, bytes))
}

fn one(
    member: &Member<'_>,
    said: Option<&FormPart>,
    raw: &serde_json::value::RawValue,
) -> Result<Option<(String, Vec<u8>)>, Mistake> {
    let is_file = said.is_some_and(|part| part.binary);
    let (mut given_name, mut content) = (None, None);
    if is_file {
        // A file with a name is an object.
        for (key, value) in members(raw) {
            match key.as_str() {
                "filename" => given_name = scalar(&value).as_deref().and_then(file_name),
                "content" => content = Some(value),
                _ => {}
            }
        }
    }
    let Some(text) = scalar(content.as_deref().unwrap_or(raw)) else {
        return Ok(None);
    };
    let is_json = raw.get().trim_start().starts_with(['{', '[']);
    let kind = match said
        .map(|part| part.content_type.as_str())
        .filter(|kind| !kind.is_empty())
    {
        Some(kind) => kind,
        None if is_file => "application/octet-stream",
        None if is_json => "application/json",
        None => "text/plain; charset=utf-8",
    };
    let name = quoted(&member.key);
    let file = if is_file {
        let given = given_name.or_else(|| name_of(&text));
        format!(
            "; filename=\"{}\"",
            given.as_deref().map_or_else(|| name.clone(), quoted)
        )
    } else {
        String::new()
    };
    let head = format!(
        "Content-Disposition: form-data; name=\"{name}\"{file}\r\nContent-Type: {kind}\r\n"
    );
    let content = if is_file {
        bytes_of(member.argument, &text)?
    } else {
        text.into_bytes()
    };
    Ok(Some((head, content)))
}

/// The HTML standard, "multipart/form-data encoding algorithm": what would end the quotes or the
/// line is encoded.
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => quoted.push_str("%22"),
            '\r' => quoted.push_str("%0D"),
            '\n' => quoted.push_str("%0A"),
            c if c.is_control() => {}
            c => quoted.push(c),
        }
    }
    quoted
}

/// A boundary that stands in none of the parts. There is no randomness in here, and none is needed:
/// it is looked for.
fn boundary(parts: &[(String, Vec<u8>)]) -> String {
    let length: usize = parts.iter().map(|(_, content)| content.len()).sum();
    let mut boundary = String::new();
    for number in 0..MAX_TRIES {
        boundary = format!("part-{length:x}-{number:04x}-7f3a9c51e2d84b60");
        let stands = |content: &[u8]| {
            content
                .windows(boundary.len())
                .any(|window| window == boundary.as_bytes())
        };
        if !parts.iter().any(|(_, content)| stands(content)) {
            break;
        }
    }
    boundary
}
