//! From a model's arguments to a request.
//!
//! Numbers and JSON are passed on as they were written, digit for digit. Nothing is percent-encoded
//! for the path and the query: the host does that, and refuses what would leave its place.
//!
//! - `value`: an argument, read as far as its style needs. `style`: every row of the
//!   specification's table.
//! - `body`, `form`, `multipart`: bodies.

mod binary;
mod body;
mod encode;
mod form;
mod mistake;
mod multipart;
mod style;
mod value;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::descriptor::{Argument, ArgumentLocation, OperationDescriptor, Style};
pub use mistake::Mistake;
use value::ArgumentShape;

/// A request as the host takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostRequest {
    /// In upper case.
    pub method: String,
    /// The template that the host has pinned.
    pub path: String,
    /// A value for each name of the template.
    pub parameters: Vec<(String, String)>,
    /// Not encoded.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
}

/// What the model gave: a JSON object whose members are read when they are needed.
pub(crate) type Arguments = BTreeMap<String, Box<RawValue>>;

/// Builds the request of an operation.
///
/// # Errors
/// An argument that is missing, unknown, or that its place cannot hold.
pub fn build(descriptor: &OperationDescriptor, arguments: &str) -> Result<HostRequest, Mistake> {
    let arguments: Arguments = serde_json::from_str(arguments).map_err(|_| Mistake::NotAnObject)?;
    for name in arguments.keys() {
        if !descriptor.arguments.iter().any(|known| known.name == *name) {
            return Err(Mistake::Unknown(name.chars().take(80).collect()));
        }
    }
    let mut request = HostRequest {
        method: descriptor.method.clone(),
        path: descriptor.path.clone(),
        ..HostRequest::default()
    };
    if !descriptor.accept.is_empty() {
        request
            .headers
            .push(("accept".to_owned(), descriptor.accept.clone()));
    }
    let mut cookies = Vec::new();
    for argument in &descriptor.arguments {
        let value = arguments.get(&argument.name);
        // The host has held the arguments against the schema, and leaves out what it sets itself: a
        // header, a query pair or a cookie of the operator's, or a member of the body. The rest
        // this request cannot be without.
        let is_hosts = matches!(
            argument.place,
            ArgumentLocation::Header
                | ArgumentLocation::Query
                | ArgumentLocation::Cookie
                | ArgumentLocation::Member
        );
        if value.is_none() && argument.required && !is_hosts {
            return Err(Mistake::missing(argument));
        }
        if let (Some(value), false) = (
            value,
            matches!(
                argument.place,
                ArgumentLocation::Member | ArgumentLocation::Content
            ),
        ) {
            place(argument, value, &mut request, &mut cookies)?;
        }
    }
    if !cookies.is_empty() {
        request
            .headers
            .push(("cookie".to_owned(), cookies.join("; ")));
    }
    if let Some(body) = &descriptor.body {
        body::write(body, &descriptor.arguments, &arguments, &mut request)?;
    }
    Ok(request)
}

fn place(
    argument: &Argument,
    raw: &RawValue,
    request: &mut HostRequest,
    cookies: &mut Vec<String>,
) -> Result<(), Mistake> {
    let value = if argument.style == Style::Json {
        ArgumentShape::Scalar(raw.get().to_owned())
    } else {
        value::shaped(raw)
    };
    if matches!(value, ArgumentShape::Null) {
        // Nothing on the wire says null.
        return if argument.required {
            Err(Mistake::missing(argument))
        } else {
            Ok(())
        };
    }
    let key = argument.key();
    match argument.place {
        ArgumentLocation::Path => {
            let text = style::joined(argument, &value)?;
            if text.is_empty() {
                return Err(Mistake::cannot_hold(
                    argument,
                    "a path holds no empty value",
                ));
            }
            request.parameters.push((key.to_owned(), text));
        }
        ArgumentLocation::Query => style::pairs(argument, raw, &value, &mut request.query)?,
        ArgumentLocation::Header => {
            let text = style::joined(argument, &value)?;
            let visible = text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ');
            if !visible || text.starts_with(' ') || text.ends_with(' ') {
                return Err(Mistake::cannot_hold(
                    argument,
                    "a header holds visible ASCII characters alone",
                ));
            }
            request.headers.push((key.to_owned(), text));
        }
        ArgumentLocation::Cookie => {
            let mut pairs = Vec::new();
            style::pairs(argument, raw, &value, &mut pairs)?;
            cookies.extend(
                pairs.iter().map(|(key, value)| {
                    format!("{}={}", encode::cookie(key), encode::cookie(value))
                }),
            );
        }
        ArgumentLocation::Member | ArgumentLocation::Content => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
