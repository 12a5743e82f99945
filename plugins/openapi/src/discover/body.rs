use serde_json::{Map, Value};

use super::arguments::{RequestPart, described, edit};
use super::operation::DocumentOperation;
use super::{is_true, text_of};
use crate::descriptor::{self, ArgumentLocation, Format, Style};
use crate::media_type::{concrete, essence, format, is_json};
use crate::problem::Problem;
use crate::reference::follow;
use crate::schema::{Direction, Fragment, Schemas};
use crate::shape::{Shape, shape};
use crate::text::{clean, line};

/// What a model reads of the body.
const MAX_DESCRIPTION: usize = 1_000;

/// A body with more members is one argument.
const MAX_MEMBERS: usize = 150;

/// Keywords beside which an object's members do not stand for the whole of it.
const MORE_THAN_MEMBERS: [&str; 13] = [
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "patternProperties",
    "propertyNames",
    "dependentSchemas",
    "dependentRequired",
    "minProperties",
    "maxProperties",
    "unevaluatedProperties",
];

/// The body of an operation, and the arguments that it is made of.
#[derive(Debug)]
pub(super) struct OperationBody {
    pub(super) wire: descriptor::BodyEncoding,
    pub(super) parts: Vec<RequestPart>,
}

/// Reads the request's body, in the most telling of the formats that it may have.
pub(super) fn read<'d>(
    operation: &DocumentOperation<'d>,
    schemas: &mut Schemas<'d>,
    notes: &mut Vec<String>,
) -> Result<Option<OperationBody>, Problem> {
    let Some(value) = operation.value.get("requestBody") else {
        return Ok(None);
    };
    let value = follow(schemas.root(), value)?;
    if matches!(operation.method.as_str(), "GET" | "HEAD") {
        notes.push("a body with this method has no meaning, and is left out".to_owned());
        return Ok(None);
    }
    let required = is_true(value, "required");
    let Some((content_type, format, media)) = choose(schemas.root(), value) else {
        if required {
            return Err(Problem::Body(
                "has no media type that can be written".into(),
            ));
        }
        notes.push("the body has no media type that can be written, and is left out".to_owned());
        return Ok(None);
    };
    let mut body = OperationBody {
        wire: descriptor::BodyEncoding {
            format,
            content_type: concrete(&content_type),
            required,
            parts: Vec::new(),
        },
        parts: Vec::new(),
    };
    let description = clean(
        text_of(value, "description").unwrap_or_default(),
        MAX_DESCRIPTION,
    );
    let schema = media.get("schema");
    let fragment = match (format, schema) {
        (Format::Binary, _) => Fragment::base64(&body.wire.content_type, &description),
        (Format::Text, _) => described(Fragment::from_text("{\"type\":\"string\"}"), &description),
        (_, Some(schema)) => {
            if matches!(format, Format::Form | Format::Multipart) {
                body.wire.parts = encodings(media, schema, format, schemas);
            }
            if let Some(members) = plain_members(schemas, schema, required, format) {
                body.parts = members_of(members, &body.wire, schemas)?;
                return Ok(Some(body));
            }
            let is_form = matches!(format, Format::Form | Format::Multipart);
            if is_form && matches!(shape(schemas.root(), schema), Shape::List | Shape::Scalar) {
                return Err(Problem::Body(
                    "is a form, and its schema asks for no object".into(),
                ));
            }
            let mut fragment = schemas.fragment(schema, Direction::Request)?;
            if is_form {
                edit(&mut fragment, |schema| {
                    schema.insert("type".to_owned(), "object".into());
                });
            }
            described(fragment, &description)
        }
        (Format::Json, None) => described(Fragment::from_text("{}"), &description),
        (_, None) => described(Fragment::from_text("{\"type\":\"object\"}"), &description),
    };
    body.parts.push(RequestPart {
        name: "body".to_owned(),
        key: String::new(),
        place: ArgumentLocation::Content,
        style: Style::Json,
        explode: false,
        required,
        fragment,
        wire_names: Vec::new(),
        is_object: false,
    });
    Ok(Some(body))
}

fn choose<'d>(root: &'d Value, value: &'d Value) -> Option<(String, Format, &'d Value)> {
    let rank = |format, kind: &str| match format {
        Format::Json if kind == "application/json" => 0,
        Format::Json if is_json(kind) => 1,
        Format::Form => 2,
        Format::Multipart => 3,
        Format::Json => 4,
        Format::Text => 5,
        Format::Binary => 6,
    };
    let content = value.get("content")?.as_object()?;
    let known = content.iter().filter_map(|(key, media)| {
        let kind = essence(key)?;
        Some((format(&kind)?, kind, follow(root, media).ok()?))
    });
    let (format, kind, media) = known.min_by_key(|(format, kind, _)| rank(*format, kind))?;
    Some((kind, format, media))
}

/// The object whose members are arguments of their own: it says nothing but its members, and an
/// absent body is told from an incomplete one. A form with files is always taken apart, so that
/// each file says that it is base64.
fn plain_members<'d>(
    schemas: &Schemas<'d>,
    schema: &'d Value,
    required: bool,
    format: Format,
) -> Option<&'d Map<String, Value>> {
    let object = follow(schemas.root(), schema).ok()?.as_object()?;
    let says = |key: &str| object.contains_key(key);
    let members = object.get("properties")?.as_object()?;
    let is_object = object.get("type").is_none_or(|kind| kind == "object");
    let closed = format == Format::Multipart
        || matches!(
            object.get("additionalProperties"),
            None | Some(Value::Bool(false))
        );
    let bare = !MORE_THAN_MEMBERS.iter().any(|key| says(key))
        && object.get("nullable") != Some(&Value::Bool(true));
    let names = object.get("required").and_then(Value::as_array);
    let whole = required || format == Format::Multipart || names.is_none_or(Vec::is_empty);
    let few = !members.is_empty() && members.len() <= MAX_MEMBERS;
    // A base has the members of its kinds too.
    let is_base = follow(schemas.root(), schema).is_ok_and(|schema| schemas.is_base(schema));
    (is_object && closed && bare && whole && few && !is_base).then_some(object)
}

fn members_of<'d>(
    object: &'d Map<String, Value>,
    wire: &descriptor::BodyEncoding,
    schemas: &mut Schemas<'d>,
) -> Result<Vec<RequestPart>, Problem> {
    let required = |name: &str| {
        let names = object.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|known| known == name))
    };
    let mut parts = Vec::new();
    for (name, schema) in object
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if schemas.is_hidden(schema, Direction::Request) {
            continue;
        }
        let encoding = wire.parts.iter().find(|part| part.name == *name);
        let fragment = match encoding {
            Some(part) if part.binary => file(schemas.root(), schema, &part.content_type),
            _ => schemas.fragment(schema, Direction::Request)?,
        };
        parts.push(RequestPart {
            name: name.clone(),
            key: name.clone(),
            place: ArgumentLocation::Member,
            style: Style::Json,
            explode: false,
            required: required(name),
            fragment,
            wire_names: Vec::new(),
            is_object: false,
        });
    }
    Ok(parts)
}

/// A file, or a list of files.
fn file(root: &Value, schema: &Value, content_type: &str) -> Fragment {
    let schema = follow(root, schema).unwrap_or(schema);
    let description = clean(
        text_of(schema, "description").unwrap_or_default(),
        MAX_DESCRIPTION,
    );
    let one = Fragment::file(content_type, &description);
    if text_of(schema, "type") != Some("array") {
        return one;
    }
    Fragment::from_text(&format!("{{\"type\":\"array\",\"items\":{}}}", one.text))
}

/// What the document says of each member of a form, where that is more than the usual.
fn encodings(
    media: &Value,
    schema: &Value,
    format: Format,
    schemas: &Schemas<'_>,
) -> Vec<descriptor::FormPart> {
    let root = schemas.root();
    let object = follow(root, schema).unwrap_or(schema);
    let said = media.get("encoding").and_then(Value::as_object);
    let mut parts = Vec::new();
    for (name, schema) in object
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .take(MAX_MEMBERS)
    {
        let encoding = said.and_then(|said| said.get(name)).unwrap_or(&Value::Null);
        let style = match text_of(encoding, "style") {
            Some("form") => Some(Style::Form),
            Some("spaceDelimited") => Some(Style::Space),
            Some("pipeDelimited") => Some(Style::Pipe),
            Some("deepObject") => Some(Style::Deep),
            _ if is_true(encoding, "explode") => Some(Style::Form),
            _ => None,
        };
        let default = matches!(style, None | Some(Style::Form | Style::Deep));
        // Several may be listed; the first is the document's favourite.
        let first = text_of(encoding, "contentType").and_then(|kinds| kinds.split(',').next());
        let part = descriptor::FormPart {
            name: name.clone(),
            content_type: first
                .and_then(essence)
                .map(|kind| concrete(&kind))
                .unwrap_or_default(),
            binary: format == Format::Multipart && is_file(root, schema),
            style,
            explode: encoding
                .get("explode")
                .and_then(Value::as_bool)
                .unwrap_or(default),
        };
        if part.binary || part.style.is_some() || !part.content_type.is_empty() {
            parts.push(part);
        }
    }
    parts
}

fn is_file(root: &Value, schema: &Value) -> bool {
    let schema = follow(root, schema).unwrap_or(schema);
    if text_of(schema, "type") == Some("array") {
        let items = schema
            .get("items")
            .map(|items| follow(root, items).unwrap_or(items));
        return items
            .is_some_and(|items| text_of(items, "type") != Some("array") && is_file(root, items));
    }
    let media_type = text_of(schema, "contentMediaType").map(|kind| line(kind, 100));
    match text_of(schema, "type") {
        Some("file") => true,
        Some("string") | None => {
            text_of(schema, "format") == Some("binary")
                || (media_type.is_some_and(|kind| !kind.starts_with("text/") && !is_json(&kind))
                    && schema.get("contentEncoding").is_none())
        }
        _ => false,
    }
}
