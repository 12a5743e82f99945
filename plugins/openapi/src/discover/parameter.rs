use serde_json::Value;

use super::arguments::{RequestPart, described, edit};
use super::operation::DocumentOperation;
use super::overview::Overview;
use super::path::Path;
use super::{is_true, text_of};
use crate::descriptor::{ArgumentLocation, Style};
use crate::media_type;
use crate::problem::Problem;
use crate::reference::follow;
use crate::schema::{Direction, Fragment, Schemas, has_slash};
use crate::shape::{Shape, members, shape};
use crate::text::{clean, line};

/// What a model reads of one argument.
const MAX_DESCRIPTION: usize = 1_000;

/// More are no operation that a model could call.
const MAX_PARAMETERS: usize = 200;

/// Header parameters that the specification says are ignored, and those that are the host's alone
/// on any connection.
const IGNORED: [&str; 34] = [
    "accept",
    "authorization",
    "content-type",
    "accept-encoding",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-host",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "fastly-client-ip",
    "cf-connecting-ip",
];

/// Headers that are ignored, by how they begin.
const IGNORED_PREFIXES: [&str; 4] = ["proxy-", "x-forwarded-", "mcp-", "sec-"];

/// All parameters of an operation, those of its path among them.
pub(super) fn all<'d>(
    operation: &DocumentOperation<'d>,
    overview: &Overview,
    schemas: &mut Schemas<'d>,
    path: &mut Path,
    notes: &mut Vec<String>,
) -> Result<Vec<RequestPart>, Problem> {
    let mut found: Vec<(&str, &str, &Value)> = Vec::new();
    // The operation's own stand before those of its path.
    for holder in [operation.value, operation.item] {
        for value in holder
            .get("parameters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let value = follow(schemas.root(), value)?;
            let (Some(name), Some(location)) = (text_of(value, "name"), text_of(value, "in"))
            else {
                return Err(Problem::Parameter(
                    "without a name or a place (\"in\")".into(),
                ));
            };
            if !found
                .iter()
                .any(|(known, place, _)| (*known, *place) == (name, location))
            {
                found.push((name, location, value));
            }
            if found.len() > MAX_PARAMETERS {
                return Err(Problem::Parameter(format!(
                    "list is longer than {MAX_PARAMETERS}"
                )));
            }
        }
    }
    let mut parts = Vec::with_capacity(found.len());
    for (name, location, value) in found {
        if let Some(part) = one(name, location, value, overview, schemas, path, notes)? {
            parts.push(part);
        }
    }
    undeclared(path, &mut parts, notes);
    // As a request is written: the path first.
    parts.sort_by_key(|part| match part.place {
        ArgumentLocation::Path => 0,
        ArgumentLocation::Query => 1,
        ArgumentLocation::Header => 2,
        _ => 3,
    });
    Ok(parts)
}

fn one<'d>(
    name: &str,
    location: &str,
    value: &'d Value,
    overview: &Overview,
    schemas: &mut Schemas<'d>,
    path: &mut Path,
    notes: &mut Vec<String>,
) -> Result<Option<RequestPart>, Problem> {
    let shown = line(name, 60);
    let refuse = |why: &str| Problem::Parameter(format!("{shown:?} {why}"));
    let is_required = is_true(value, "required");
    let place = match location {
        // Of OpenAPI 3.2.
        "querystring" if is_required => {
            return Err(refuse("is the whole query string, which is not offered"));
        }
        "querystring" => {
            notes.push(format!(
                "parameter {shown:?} is the whole query string, and left out"
            ));
            return Ok(None);
        }
        "path" => ArgumentLocation::Path,
        "query" => ArgumentLocation::Query,
        "header" => ArgumentLocation::Header,
        "cookie" => ArgumentLocation::Cookie,
        other => {
            return Err(refuse(&format!(
                "stands in {:?}, where none is",
                line(other, 40)
            )));
        }
    };
    if overview.is_key(location, name) {
        return Ok(None);
    }
    let key = match place {
        ArgumentLocation::Header if is_ignored(name) => return Ok(None),
        ArgumentLocation::Header if !is_token(name) => {
            return Err(refuse("is not the name of a header"));
        }
        ArgumentLocation::Header => name.to_ascii_lowercase(),
        ArgumentLocation::Cookie if !is_token(name) => {
            return Err(refuse("is not the name of a cookie"));
        }
        ArgumentLocation::Path => match path_key(path, name) {
            Some(key) => key,
            None => {
                notes.push(format!(
                    "path parameter {shown:?} is not in the path, and left out"
                ));
                return Ok(None);
            }
        },
        _ => name.to_owned(),
    };
    let (schema, is_json) = schema_of(value);
    let style = if is_json {
        Style::Json
    } else {
        style(value, place)
    };
    let explode = value
        .get("explode")
        .and_then(Value::as_bool)
        .unwrap_or(matches!(style, Style::Form | Style::Deep));
    let required = place == ArgumentLocation::Path || is_required;
    let fragment = match schema {
        Some(schema) => schemas.fragment(schema, Direction::Request)?,
        None => Fragment::from_text("{\"type\":\"string\"}"),
    };
    let mut part = RequestPart {
        name: name.to_owned(),
        key,
        place,
        style,
        explode,
        required,
        fragment: described(
            fragment,
            &clean(
                text_of(value, "description").unwrap_or_default(),
                MAX_DESCRIPTION,
            ),
        ),
        wire_names: Vec::new(),
        is_object: false,
    };
    let kind = schema.map_or(Shape::Scalar, |schema| shape(schemas.root(), schema));
    match place {
        ArgumentLocation::Path => {
            before(path, &part, kind);
            if says_several(value, schema) {
                path.allow_several(name);
            }
        }
        ArgumentLocation::Query | ArgumentLocation::Cookie
            if !wire_names(&mut part, schema, kind, schemas) =>
        {
            if required {
                return Err(refuse(
                    "is an object whose members the document does not name",
                ));
            }
            notes.push(format!(
                "{location} parameter {shown:?} has members that the document does not name, and is left out"
            ));
            return Ok(None);
        }
        _ => {}
    }
    Ok(Some(part))
}

/// The names in the query, or of cookies, that a parameter may become; `false` where the document
/// leaves them open, or where one of them is no name of a cookie.
fn wire_names<'d>(
    part: &mut RequestPart,
    schema: Option<&'d Value>,
    kind: Shape,
    schemas: &Schemas<'d>,
) -> bool {
    part.wire_names = vec![part.name.clone()];
    match part.style {
        Style::Deep => part.is_object = kind != Shape::Scalar,
        Style::Form | Style::Space | Style::Pipe
            if part.explode && kind != Shape::List && kind != Shape::Scalar =>
        {
            let names = schema
                .map(|schema| members(schemas.root(), schema))
                .unwrap_or_default();
            if kind == Shape::Object {
                let is_name =
                    |name: &String| part.place == ArgumentLocation::Query || is_token(name);
                if names.is_empty() || !names.iter().all(is_name) {
                    return false;
                }
                // Whatever is not named could not be sent.
                edit(&mut part.fragment, |schema| {
                    schema.remove("additionalProperties");
                    schema.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
                });
            }
            part.wire_names.extend(names);
        }
        _ => {}
    }
    true
}

/// What `label` and `matrix` write in front of the value stands in the template, where it is not
/// encoded.
fn before(path: &mut Path, part: &RequestPart, kind: Shape) {
    match part.style {
        Style::Label => path.put_before(&part.name, "."),
        Style::Matrix if part.explode && kind == Shape::Object => path.put_before(&part.name, ";"),
        Style::Matrix => path.put_before(&part.name, &format!(";{}=", part.key)),
        _ => {}
    }
}

/// Whether the document says that a path parameter's value may hold a `/`: OpenAPI 3.2 by
/// `allowReserved`, others by extensions, and many by a pattern that has one.
fn says_several(value: &Value, schema: Option<&Value>) -> bool {
    const KEYS: [&str; 3] = ["allowReserved", "x-multi-segment", "x-allow-slashes"];
    let pattern = schema.and_then(|schema| text_of(schema, "pattern"));
    KEYS.iter().any(|key| is_true(value, key)) || pattern.is_some_and(has_slash)
}

fn path_key(path: &Path, name: &str) -> Option<String> {
    path.pieces.iter().find_map(|piece| match piece {
        super::path::TemplatePiece::Parameter {
            name: known, key, ..
        } if known == name => Some(key.clone()),
        _ => None,
    })
}

/// Many documents forget to declare one.
fn undeclared(path: &Path, parts: &mut Vec<RequestPart>, notes: &mut Vec<String>) {
    for name in path.names() {
        if parts
            .iter()
            .any(|part| part.place == ArgumentLocation::Path && part.name == name)
        {
            continue;
        }
        notes.push(format!(
            "path parameter {:?} is not declared, and taken as text",
            line(name, 60)
        ));
        parts.push(RequestPart {
            name: name.to_owned(),
            key: path_key(path, name).unwrap_or_default(),
            place: ArgumentLocation::Path,
            style: Style::Simple,
            explode: false,
            required: true,
            fragment: Fragment::from_text("{\"type\":\"string\"}"),
            wire_names: Vec::new(),
            is_object: false,
        });
    }
}

/// A parameter's schema, and whether its value is written as JSON.
fn schema_of(value: &Value) -> (Option<&Value>, bool) {
    if let Some(schema) = value.get("schema") {
        return (Some(schema), false);
    }
    let content = value.get("content").and_then(Value::as_object);
    let Some((kind, media)) = content.and_then(|content| content.iter().next()) else {
        return (None, false);
    };
    let is_json = media_type::essence(kind).is_some_and(|kind| media_type::is_json(&kind));
    (media.get("schema"), is_json)
}

fn style(value: &Value, place: ArgumentLocation) -> Style {
    match (text_of(value, "style"), place) {
        (Some("label"), ArgumentLocation::Path) => Style::Label,
        (Some("matrix"), ArgumentLocation::Path) => Style::Matrix,
        (_, ArgumentLocation::Path | ArgumentLocation::Header) => Style::Simple,
        (Some("spaceDelimited"), ArgumentLocation::Query) => Style::Space,
        (Some("pipeDelimited"), ArgumentLocation::Query) => Style::Pipe,
        (Some("deepObject"), ArgumentLocation::Query) => Style::Deep,
        _ => Style::Form,
    }
}

/// Servers may know a name by its dashes or by its underscores; the host compares them with dashes.
fn is_ignored(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    IGNORED.contains(&name.as_str())
        || IGNORED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// RFC 9110 section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
