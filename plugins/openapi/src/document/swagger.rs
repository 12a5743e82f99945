//! Swagger 2.0 as OpenAPI 3.0. Only what has another place or another form is written anew: what a
//! parameter, a body or a response says of its value stays where it is and is referred to, so that
//! a document grows by a few values for each parameter, whatever it repeats.

use serde_json::{Map, Value, json};

use crate::problem::DocumentError;
use crate::reference::{escaped, follow_to};
use crate::text::clean;

use super::moved::{PARAMETERS, RESPONSES, move_parts};
use super::{MAX_VALUES, METHODS};

/// What is kept of a parameter's description; a model reads less.
const MAX_DESCRIPTION: usize = 2_000;

/// What one converted parameter, media type or response comes to, in values.
const VALUES_EACH: usize = 12;

/// Converts a document, where it is one of Swagger 2.0.
///
/// # Errors
/// The converted one would be beyond the bound on values.
pub(super) fn convert(root: &mut Value) -> Result<(), DocumentError> {
    if !is_swagger(root) {
        return Ok(());
    }
    mark_nullable(root);
    move_parts(root);
    let converted = operations(root)?;
    let servers = servers(root);
    for new in converted {
        let item = root
            .get_mut("paths")
            .and_then(|paths| paths.get_mut(&new.path));
        if let Some(Value::Object(operation)) = item.and_then(|item| item.get_mut(new.method)) {
            operation.extend(new.parts);
        }
    }
    if let Value::Object(members) = root {
        if let Some(schemes) = members.get("securityDefinitions").cloned() {
            members.insert(
                "components".to_owned(),
                json!({ "securitySchemes": schemes }),
            );
        }
        members.insert("servers".to_owned(), servers);
    }
    Ok(())
}

pub(crate) fn is_swagger(root: &Value) -> bool {
    match root.get("swagger") {
        Some(Value::String(version)) => version == "2.0",
        // YAML without quotes.
        Some(Value::Number(version)) => version.as_f64() == Some(2.0),
        _ => false,
    }
}

struct Defaults {
    consumes: Option<Vec<String>>,
    produces: Option<Vec<String>>,
}

/// What each operation gets, by its path and method. Nothing is changed yet: references lead to all
/// that there is.
fn operations(root: &Value) -> Result<Vec<NewParts>, DocumentError> {
    let mut left = MAX_VALUES;
    let mut converted = Vec::new();
    let defaults = Defaults {
        consumes: texts(root.get("consumes")),
        produces: texts(root.get("produces")),
    };
    let paths = root.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let Value::Object(item) = item else {
            continue;
        };
        let place = format!("#/paths/{}", escaped(path));
        for method in METHODS {
            let Some(Value::Object(operation)) = item.get(method) else {
                continue;
            };
            let of = OperationConverter {
                root,
                item,
                operation,
                item_place: &place,
                place: format!("{place}/{method}"),
                defaults: &defaults,
            };
            converted.push(NewParts {
                path: path.clone(),
                method,
                parts: of.operation(&mut left)?,
            });
        }
    }
    Ok(converted)
}

/// Members of one operation.
struct NewParts {
    path: String,
    method: &'static str,
    parts: Map<String, Value>,
}

struct OperationConverter<'d> {
    root: &'d Value,
    item: &'d Map<String, Value>,
    operation: &'d Map<String, Value>,
    item_place: &'d str,
    place: String,
    defaults: &'d Defaults,
}

/// A parameter, or a response, and where it stands.
struct Parameter<'d> {
    value: &'d Value,
    place: String,
}

impl<'d> OperationConverter<'d> {
    fn operation(&self, left: &mut usize) -> Result<Map<String, Value>, DocumentError> {
        let mut take = |count: usize| {
            *left = left
                .checked_sub(count.saturating_mul(VALUES_EACH))
                .ok_or(DocumentError::TooManyValues(MAX_VALUES))?;
            Ok::<_, DocumentError>(())
        };
        let (mut parameters, mut forms) = (Vec::new(), Vec::new());
        let mut body = None;
        for parameter in self.parameters() {
            take(1)?;
            match parameter.text("in") {
                Some("body") => body = Some(parameter),
                // A tab in a form: nobody says how.
                Some("formData") if parameter.text("collectionFormat") == Some("tsv") => {
                    parameters.push(plain(&parameter));
                }
                Some("formData") => forms.push(parameter),
                _ => parameters.push(plain(&parameter)),
            }
        }
        let mut parts = Map::new();
        let consumes =
            texts(self.operation.get("consumes")).or_else(|| self.defaults.consumes.clone());
        take(consumes.as_ref().map_or(0, Vec::len))?;
        if let Some(body) = body {
            parts.insert(
                "requestBody".to_owned(),
                body_of(&body, consumes.as_deref()),
            );
        } else if !forms.is_empty() {
            parts.insert(
                "requestBody".to_owned(),
                form_of(&forms, consumes.as_deref()),
            );
        }
        parts.insert("parameters".to_owned(), Value::Array(parameters));
        let produces =
            texts(self.operation.get("produces")).or_else(|| self.defaults.produces.clone());
        let json = || vec!["application/json".to_owned()];
        let produces = produces
            .filter(|kinds| !kinds.is_empty())
            .unwrap_or_else(json);
        if let Some(Value::Object(responses)) = self.operation.get(RESPONSES) {
            take(responses.len().saturating_mul(produces.len()))?;
            let new = responses
                .iter()
                .map(|(status, value)| (status.clone(), self.response(status, value, &produces)));
            parts.insert("responses".to_owned(), Value::Object(new.collect()));
        }
        Ok(parts)
    }

    /// The operation's own, and those of its path that it does not have itself.
    fn parameters(&self) -> Vec<Parameter<'d>> {
        let mut found: Vec<Parameter<'d>> = Vec::new();
        for (holder, place) in [
            (self.operation, self.place.as_str()),
            (self.item, self.item_place),
        ] {
            let list = holder
                .get(PARAMETERS)
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            for (index, value) in list.iter().enumerate() {
                let parameter = self.followed(value, format!("{place}/{PARAMETERS}/{index}"));
                let name = |parameter: &Parameter<'d>| {
                    let is_body = parameter.text("in") == Some("body");
                    let name = parameter
                        .text("name")
                        .filter(|_| !is_body)
                        .map(str::to_owned);
                    (name, parameter.text("in").map(str::to_owned))
                };
                if !found.iter().any(|known| name(known) == name(&parameter)) {
                    found.push(parameter);
                }
            }
        }
        found
    }

    fn followed(&self, value: &'d Value, place: String) -> Parameter<'d> {
        match follow_to(self.root, value) {
            Ok((value, last)) => Parameter {
                value,
                place: last.map_or(place, str::to_owned),
            },
            // What cannot be followed stays, and is refused by name when it is read.
            Err(_) => Parameter { value, place },
        }
    }

    fn response(&self, status: &str, value: &'d Value, produces: &[String]) -> Value {
        let place = format!("{}/{RESPONSES}/{}", self.place, escaped(status));
        let response = self.followed(value, place);
        let description = response.text("description").unwrap_or_default();
        let mut new = json!({ "description": clean(description, MAX_DESCRIPTION) });
        let of_file = |schema: &&Value| schema.get("type").and_then(Value::as_str) == Some("file");
        if response.value.get("schema").as_ref().is_some_and(of_file) {
            // Bytes of another type than JSON, where the document has one.
            let is_other = |kind: &&String| !kind.contains("json");
            let others = produces
                .iter()
                .filter(is_other)
                .map(|kind| (kind.clone(), json!({})));
            let content: Map<String, Value> = others.collect();
            if let (false, Value::Object(new)) = (content.is_empty(), &mut new) {
                new.insert("content".to_owned(), Value::Object(content));
            }
            return new;
        }
        if response.value.get("schema").is_none() {
            return new;
        }
        let schema = json!({ "$ref": format!("{}/schema", response.place) });
        // The first that is JSON has it: the others are only asked for.
        let with = produces
            .iter()
            .position(|kind| kind.contains("json"))
            .unwrap_or(0);
        let mut content: Map<String, Value> = produces
            .iter()
            .map(|kind| (kind.clone(), json!({})))
            .collect();
        if let Some(media) = produces.get(with).and_then(|kind| content.get_mut(kind)) {
            *media = json!({ "schema": schema });
        }
        if let Value::Object(new) = &mut new {
            new.insert("content".to_owned(), Value::Object(content));
        }
        new
    }
}

impl Parameter<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.value.get(key).and_then(Value::as_str)
    }

    fn is_required(&self) -> bool {
        self.value.get("required") == Some(&Value::Bool(true))
    }

    fn is_list(&self) -> bool {
        self.text("type") == Some("array")
    }
}

/// A parameter of path, query or header. Its own members are those of a schema, and others that no
/// schema has.
fn plain(parameter: &Parameter<'_>) -> Value {
    let Some(place) = parameter.text("in") else {
        return parameter.value.clone();
    };
    let mut new = Map::new();
    for key in [
        "name",
        "in",
        "required",
        "allowReserved",
        "x-multi-segment",
        "x-allow-slashes",
    ] {
        if let Some(value) = parameter.value.get(key) {
            new.insert(key.to_owned(), value.clone());
        }
    }
    let description = clean(
        parameter.text("description").unwrap_or_default(),
        MAX_DESCRIPTION,
    );
    new.insert("description".to_owned(), description.into());
    new.insert("schema".to_owned(), json!({ "$ref": parameter.place }));
    if parameter.is_list() {
        let format = parameter.text("collectionFormat");
        let (style, explode) = match (list_style(format), place) {
            (Some(style), "query") => style,
            (Some(("form", false)), _) => ("simple", false),
            _ => {
                let format = clean(format.unwrap_or_default(), 20);
                new.insert(
                    "in".to_owned(),
                    format!("{place} (collectionFormat {format})").into(),
                );
                ("simple", false)
            }
        };
        new.insert("style".to_owned(), style.into());
        new.insert("explode".to_owned(), explode.into());
    }
    Value::Object(new)
}

/// The style and `explode` of a list of this `collectionFormat` in a query or a form; `None` where
/// 3.0 has none.
fn list_style(format: Option<&str>) -> Option<(&'static str, bool)> {
    match format {
        None | Some("csv") => Some(("form", false)),
        Some("multi") => Some(("form", true)),
        Some("ssv") => Some(("spaceDelimited", false)),
        Some("pipes") => Some(("pipeDelimited", false)),
        Some(_) => None,
    }
}

fn body_of(body: &Parameter<'_>, consumes: Option<&[String]>) -> Value {
    let schema = json!({ "$ref": format!("{}/schema", body.place) });
    let media = match body.value.get("schema") {
        Some(_) => json!({ "schema": schema }),
        None => json!({}),
    };
    let json = ["application/json".to_owned()];
    let kinds = consumes.filter(|kinds| !kinds.is_empty()).unwrap_or(&json);
    let content: Map<String, Value> = kinds
        .iter()
        .map(|kind| (kind.clone(), media.clone()))
        .collect();
    json!({
        "required": body.is_required(), "content": content,
        "description": clean(body.text("description").unwrap_or_default(), MAX_DESCRIPTION),
    })
}

fn form_of(forms: &[Parameter<'_>], consumes: Option<&[String]>) -> Value {
    let has_file = forms.iter().any(|form| form.text("type") == Some("file"));
    let is_multipart = |kinds: &[String]| {
        let has = |start: &str| kinds.iter().any(|kind| kind.starts_with(start));
        has("multipart/") && !has("application/x-www-form-urlencoded")
            || kinds
                .first()
                .is_some_and(|kind| kind.starts_with("multipart/"))
    };
    let kind = match has_file || consumes.is_some_and(is_multipart) {
        true => "multipart/form-data",
        false => "application/x-www-form-urlencoded",
    };
    let (mut properties, mut encoding, mut required) = (Map::new(), Map::new(), Vec::new());
    for form in forms {
        let Some(name) = form.text("name") else {
            continue;
        };
        properties.insert(name.to_owned(), json!({ "$ref": form.place }));
        if form.is_required() {
            required.push(name);
        }
        if form.is_list() && form.text("type") != Some("file") {
            let (style, explode) =
                list_style(form.text("collectionFormat")).unwrap_or(("form", false));
            encoding.insert(
                name.to_owned(),
                json!({ "style": style, "explode": explode }),
            );
        }
    }
    let is_required = !required.is_empty();
    let mut schema = json!({ "type": "object", "properties": properties });
    if let (true, Value::Object(schema)) = (is_required, &mut schema) {
        schema.insert("required".to_owned(), required.into());
    }
    json!({ "required": is_required, "content": { kind: { "schema": schema, "encoding": encoding } } })
}

fn servers(root: &Value) -> Value {
    let text = |key: &str| root.get(key).and_then(Value::as_str).unwrap_or_default();
    let base = text("basePath").trim_end_matches('/');
    let base = match base.is_empty() || base.starts_with('/') {
        true => base.to_owned(),
        false => format!("/{base}"),
    };
    let host = text("host");
    if host.is_empty() {
        let base = if base.is_empty() {
            "/".to_owned()
        } else {
            base
        };
        return json!([{ "url": base }]);
    }
    let said = texts(root.get("schemes")).unwrap_or_default();
    let has = |scheme: &str| said.iter().any(|known| known == scheme);
    // Without a word, what the document itself came by, which nobody knows here.
    let scheme = if has("http") && !has("https") {
        "http"
    } else {
        "https"
    };
    json!([{ "url": format!("{scheme}://{host}{base}") }])
}

fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    let list = value?.as_array()?;
    Some(
        list.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    )
}

/// What `nullable` of 3.0 says.
fn mark_nullable(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mark_nullable),
        Value::Object(members) => {
            if members.get("x-nullable") == Some(&Value::Bool(true)) {
                members.insert("nullable".to_owned(), Value::Bool(true));
            }
            members.values_mut().for_each(mark_nullable);
        }
        _ => {}
    }
}
