//! The host's rule for the requests of a discovered tool, as `wit/adapter.wit` says it.

use openapi::request::HostRequest;
use toolhost_sdk::adapter::Operation;

/// Whether a request is of the operation; else why not.
pub fn check(operation: &Operation, request: &HostRequest) -> Result<(), String> {
    if operation.method != request.method || operation.path != request.path {
        return Err("method or path".into());
    }
    for (key, _) in &request.query {
        let of_object = operation.query_objects.iter().any(|name| {
            let rest = key.strip_prefix(name.as_str());
            rest.is_some_and(|rest| {
                rest.is_empty()
                    || (rest.starts_with('[') && rest.ends_with(']') && !rest.contains("[]"))
            })
        });
        if !operation.query.contains(key) && !of_object {
            return Err(format!("query {key}"));
        }
    }
    for (name, value) in &request.headers {
        let known = match name.as_str() {
            "accept" => true,
            "content-type" => {
                let essence = value.split(';').next().unwrap_or_default();
                operation.content_types.iter().any(|kind| kind == essence)
            }
            "cookie" => value.split("; ").all(|pair| {
                let name = pair.split('=').next().unwrap_or_default();
                operation.cookies.iter().any(|known| known == name)
            }),
            name => operation.headers.iter().any(|known| known == name),
        };
        if !known {
            return Err(format!("header {name}"));
        }
    }
    if request.body.is_some() && operation.content_types.is_empty() {
        return Err("body".into());
    }
    url(operation, request)
}

/// The URL that the host would build is one that a URL parser leaves alone.
fn url(operation: &Operation, request: &HostRequest) -> Result<(), String> {
    let mut path = operation.path.clone();
    for (name, value) in &request.parameters {
        // The second one may hold a `/`, which encoding takes the same way here.
        let places = [format!("{{{name}}}"), format!("{{+{name}}}")];
        let Some(place) = places.iter().find(|place| path.contains(*place)) else {
            return Err(format!("parameter {name}"));
        };
        let encoded =
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        path = path.replace(place, &encoded);
    }
    if path.contains(['{', '}', ' ', '?', '#', '\\'])
        || !path.starts_with('/')
        || path.contains("//")
    {
        return Err(format!("path {path}"));
    }
    Ok(())
}
