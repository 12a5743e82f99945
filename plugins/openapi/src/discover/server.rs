//! Where the document says that the system is. The host has the last word.

use serde_json::Value;

use super::text_of;
use crate::problem::Problem;
use crate::text::line;

/// A URL longer than this is none.
const MAX_URL: usize = 1_024;

/// Places to choose from.
const MAX_ALTERNATIVES: usize = 20;

/// The document's first server, and the others. Where it names none, the first of an operation
/// stands for it.
pub(super) fn of_document(root: &Value) -> (Option<String>, Vec<String>) {
    let mut urls = urls(root);
    if urls.is_empty() {
        let items = root.get("paths").and_then(Value::as_object);
        let of_item = |item: &Value| {
            let of_operations = item
                .as_object()
                .into_iter()
                .flat_map(|item| item.values())
                .flat_map(self::urls);
            self::urls(item).into_iter().chain(of_operations).next()
        };
        urls = items
            .into_iter()
            .flat_map(|items| items.values())
            .find_map(of_item)
            .into_iter()
            .collect();
    }
    let mut urls = urls.into_iter();
    let base = urls.next();
    let mut alternatives: Vec<String> = Vec::new();
    for url in urls {
        if Some(&url) != base.as_ref()
            && !alternatives.contains(&url)
            && alternatives.len() < MAX_ALTERNATIVES
        {
            alternatives.push(url);
        }
    }
    (base, alternatives)
}

/// What an operation's path has in front of it: nothing, or the rest of its own server's path,
/// where that is below the document's.
///
/// # Errors
/// It is served from somewhere else.
pub(super) fn prefix(
    item: &Value,
    operation: &Value,
    base: Option<&str>,
) -> Result<String, Problem> {
    let mut own = urls(operation);
    if own.is_empty() {
        own = urls(item);
    }
    let Some(first) = own.first() else {
        return Ok(String::new());
    };
    let base = without_scheme(base.unwrap_or("/"));
    let below = own.iter().find_map(|url| {
        let rest = without_scheme(url).strip_prefix(base)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    });
    below.ok_or_else(|| Problem::Server(line(first, 200)))
}

/// The host's own base has a scheme; what a document says of it does not matter, and some say none.
fn without_scheme(url: &str) -> &str {
    let url = url.find("//").and_then(|at| url.get(at..)).unwrap_or(url);
    url.trim_end_matches('/')
}

/// The URLs of `servers`, with the defaults of their variables filled in.
fn urls(holder: &Value) -> Vec<String> {
    let servers = holder.get("servers").and_then(Value::as_array);
    servers.into_iter().flatten().filter_map(url).collect()
}

fn url(server: &Value) -> Option<String> {
    let template = text_of(server, "url")?.trim();
    let mut url = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let default = server.get("variables")?.get(name)?.get("default")?;
        url.push_str(before);
        match default {
            Value::String(text) => url.push_str(text),
            Value::Number(number) => url.push_str(&number.to_string()),
            _ => return None,
        }
        rest = after;
        if url.len() > MAX_URL {
            return None;
        }
    }
    url.push_str(rest);
    let visible = url
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"{}\\\"<>".contains(&byte));
    let plain = !url.is_empty() && !url.contains(['?', '#']) && url.len() <= MAX_URL;
    (visible && plain).then_some(url)
}
