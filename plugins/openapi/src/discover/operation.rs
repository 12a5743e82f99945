use serde_json::Value;

use super::arguments::RequestPart;
use super::body::OperationBody;
use super::overview::Overview;
use super::path::Path;
use super::response::OperationResponse;
use super::{body, parameter, response, server, text_of};
use crate::document::METHODS;
use crate::problem::{DocumentError, Problem};
use crate::reference::follow;
use crate::schema::Schemas;
use crate::text::line;

/// An operation as it stands in the document.
#[derive(Debug)]
pub(super) struct DocumentOperation<'d> {
    pub(super) id: Option<&'d str>,
    /// In upper case.
    pub(super) method: String,
    pub(super) path: &'d str,
    pub(super) item: &'d Value,
    pub(super) value: &'d Value,
    /// Known before it is read.
    pub(super) problem: Option<Problem>,
}

/// All operations, in the document's order.
///
/// # Errors
/// `paths` is not an object.
pub(super) fn list(root: &Value) -> Result<Vec<DocumentOperation<'_>>, DocumentError> {
    let mut found = Vec::new();
    let paths = match root.get("paths") {
        Some(Value::Object(paths)) => paths,
        // A document of 3.1 may have webhooks or components alone.
        None | Some(Value::Null) => return Ok(found),
        Some(_) => {
            return Err(DocumentError::NotOpenApi(
                "its member \"paths\" is not an object",
            ));
        }
    };
    for (path, item) in paths {
        if path.starts_with("x-") {
            continue;
        }
        match follow(root, item) {
            Ok(item @ Value::Object(members)) => {
                let additional = item.get("additionalOperations").and_then(Value::as_object);
                for (key, value) in members {
                    if let Some(operation) = operation(path, item, key, value) {
                        found.push(operation);
                    }
                }
                // Of OpenAPI 3.2: methods by any name, of which the contract has none but its own.
                for (method, value) in additional.into_iter().flatten() {
                    found.push(of_other_method(path, item, method, value));
                }
            }
            Ok(item) => found.push(unreadable(
                path,
                item,
                Problem::Malformed("the path's item is not an object".into()),
            )),
            Err(problem) => found.push(unreadable(path, item, problem)),
        }
    }
    Ok(found)
}

fn operation<'d>(
    path: &'d str,
    item: &'d Value,
    key: &'d str,
    value: &'d Value,
) -> Option<DocumentOperation<'d>> {
    let problem = if METHODS.contains(&key) {
        (!value.is_object()).then(|| Problem::Malformed("the operation is not an object".into()))
    } else if matches!(key, "trace" | "query") {
        Some(Problem::Method(key.to_uppercase()))
    } else if METHODS.contains(&key.to_ascii_lowercase().as_str()) {
        let why =
            format!("the method {key:?} is not in lower case, so that it is none of OpenAPI's");
        Some(Problem::Malformed(why))
    } else {
        return None;
    };
    Some(DocumentOperation {
        id: text_of(value, "operationId"),
        method: key.to_uppercase(),
        path,
        item,
        value,
        problem,
    })
}

fn of_other_method<'d>(
    path: &'d str,
    item: &'d Value,
    method: &str,
    value: &'d Value,
) -> DocumentOperation<'d> {
    let method = line(method, 20);
    DocumentOperation {
        id: text_of(value, "operationId"),
        problem: Some(Problem::Method(method.clone())),
        method,
        path,
        item,
        value,
    }
}

fn unreadable<'d>(path: &'d str, item: &'d Value, problem: Problem) -> DocumentOperation<'d> {
    DocumentOperation {
        id: None,
        method: "*".to_owned(),
        path,
        item,
        value: item,
        problem: Some(problem),
    }
}

/// An operation whose parts are all read and converted.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) path: Path,
    pub(super) parameters: Vec<RequestPart>,
    pub(super) body: Option<OperationBody>,
    pub(super) response: OperationResponse,
    pub(super) notes: Vec<String>,
}

impl Draft {
    pub(super) fn read<'d>(
        operation: &DocumentOperation<'d>,
        overview: &Overview,
        schemas: &mut Schemas<'d>,
    ) -> Result<Self, Problem> {
        let mut notes = Vec::new();
        let prefix = server::prefix(operation.item, operation.value, overview.base.as_deref())?;
        let mut path = Path::parse(&prefix, operation.path)?;
        let parameters = parameter::all(operation, overview, schemas, &mut path, &mut notes)?;
        let body = body::read(operation, schemas, &mut notes)?;
        let response = response::read(operation, schemas, &mut notes);
        Ok(Self {
            path,
            parameters,
            body,
            response,
            notes,
        })
    }
}
