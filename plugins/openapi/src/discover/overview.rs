use serde_json::Value;

use super::{server, text_of};
use crate::problem::DocumentError;
use crate::reference::follow;
use crate::text::line;

/// A title is one line.
const MAX_TITLE: usize = 120;

/// What holds for all operations of a document.
#[derive(Debug)]
pub(super) struct Overview {
    /// 3.1, whose schemas are those of JSON Schema.
    pub(super) modern: bool,
    pub(super) base: Option<String>,
    pub(super) alternatives: Vec<String>,
    /// Where the document's security schemes put what proves who calls: `(in, name)`. Never an argument.
    keys: Vec<(String, String)>,
    pub(super) meta: Vec<(String, String)>,
}

impl Overview {
    pub(super) fn of(root: &Value) -> Result<Self, DocumentError> {
        if !root.is_object() {
            return Err(DocumentError::NotOpenApi("it is no object"));
        }
        let version = version(root)?;
        let (base, alternatives) = server::of_document(root);
        let mut meta = vec![("format".to_owned(), format!("OpenAPI {version}"))];
        for key in ["title", "version"] {
            if let Some(text) = root.get("info").and_then(|info| text_of(info, key)) {
                meta.push((key.to_owned(), line(text, MAX_TITLE)));
            }
        }
        Ok(Self {
            modern: !version.starts_with("3.0"),
            base,
            alternatives,
            keys: keys(root),
            meta,
        })
    }

    /// Whether a parameter is where a security scheme puts its key; the operator's configuration fills it.
    pub(super) fn is_key(&self, location: &str, name: &str) -> bool {
        self.keys.iter().any(|(known, key)| {
            known == location && (key == name || (location == "header" && key.eq_ignore_ascii_case(name)))
        })
    }
}

fn version(root: &Value) -> Result<String, DocumentError> {
    let said = match root.get("openapi") {
        Some(Value::String(text)) => line(text, 20),
        // YAML without quotes.
        Some(Value::Number(number)) => number.to_string(),
        _ => match root.get("swagger") {
            Some(_) => return Err(DocumentError::Version("Swagger 2.0".into())),
            None => return Err(DocumentError::NotOpenApi("it has no member \"openapi\"")),
        },
    };
    if ["3.0", "3.1"].iter().any(|known| {
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
