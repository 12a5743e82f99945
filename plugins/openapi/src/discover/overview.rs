use serde_json::Value;

use super::{server, text_of};
use crate::document::is_swagger;
use crate::problem::DocumentError;
use crate::reference::follow;
use crate::text::line;

/// A title is one line.
const MAX_TITLE: usize = 120;

/// What holds for all operations of a document.
#[derive(Debug)]
pub(super) struct Overview {
    /// 3.1 or 3.2, whose schemas are those of JSON Schema.
    pub(super) modern: bool,
    pub(super) base: Option<String>,
    pub(super) alternatives: Vec<String>,
    /// Where the document's security schemes put what proves who calls: `(in, name)`. Never an
    /// argument.
    keys: Vec<(String, String)>,
    pub(super) meta: Vec<(String, String)>,
}

impl Overview {
    pub(super) fn from_root(root: &Value) -> Result<Self, DocumentError> {
        if !root.is_object() {
            return Err(DocumentError::NotOpenApi("it is not an object"));
        }
        let version = version(root)?;
        let (base, alternatives) = server::of_document(root);
        let is_swagger = is_swagger(root);
        let format = if is_swagger { "Swagger" } else { "OpenAPI" };
        let mut meta = vec![("format".to_owned(), format!("{format} {version}"))];
        for key in ["title", "version"] {
            if let Some(text) = root.get("info").and_then(|info| text_of(info, key)) {
                meta.push((key.to_owned(), line(text, MAX_TITLE)));
            }
        }
        Ok(Self {
            modern: !is_swagger && !version.starts_with("3.0"),
            base,
            alternatives,
            keys: keys(root),
            meta,
        })
    }

    /// Whether a parameter is where a security scheme puts its key; the operator's configuration
    /// fills it.
    pub(super) fn is_key(&self, location: &str, name: &str) -> bool {
        self.keys.iter().any(|(known, key)| {
            known == location
                && (key == name || (location == "header" && key.eq_ignore_ascii_case(name)))
        })
    }
}

fn version(root: &Value) -> Result<String, DocumentError> {
    let said = match root.get("openapi") {
        Some(Value::String(text)) => line(text, 20),
        // YAML without quotes.
        Some(Value::Number(number)) => number.to_string(),
        _ if is_swagger(root) => return Ok("2.0".to_owned()),
        _ => match root.get("swagger") {
            Some(version) => {
                let version = version
                    .as_str()
                    .map_or_else(|| version.to_string(), str::to_owned);
                return Err(DocumentError::Version(format!(
                    "Swagger {}",
                    line(&version, 20)
                )));
            }
            None => return Err(DocumentError::NotOpenApi("it has no member \"openapi\"")),
        },
    };
    if ["3.0", "3.1", "3.2"].iter().any(|known| {
        said.strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }) {
        return Ok(said);
    }
    Err(DocumentError::Version(format!("OpenAPI {said}")))
}

fn keys(root: &Value) -> Vec<(String, String)> {
    let schemes = root
        .pointer("/components/securitySchemes")
        .and_then(Value::as_object);
    let key = |scheme| {
        let scheme = follow(root, scheme).ok()?;
        (text_of(scheme, "type") == Some("apiKey")).then_some(())?;
        Some((
            text_of(scheme, "in")?.to_owned(),
            text_of(scheme, "name")?.to_owned(),
        ))
    };
    schemes
        .into_iter()
        .flat_map(|schemes| schemes.values())
        .filter_map(key)
        .collect()
}
