use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use toolhost_egress::{Egress, EgressCall, HostWork};
use toolhost_policy::{ConnectionName, ErrorCode, PublicError};

use crate::ToolEntry;
use crate::checks::work_error;

/// The arguments as the guest gets them: what the model chose, and what the host fills.
///
/// # Errors
/// The tenant has no usable credential for a connection that provides something, or the whole does
/// not fit the tool's schema.
pub(crate) async fn fill_arguments(
    entry: &Arc<ToolEntry>,
    arguments: String,
    egress: &Egress,
    call: &EgressCall,
    work: &HostWork,
) -> Result<String, PublicError> {
    let schemas = entry.schemas();
    if schemas.whole.is_none() {
        return Ok(arguments);
    }
    let internal = || PublicError::new(ErrorCode::Internal, "the arguments cannot be filled");
    let mut members: Map<String, Value> =
        serde_json::from_str(&arguments).map_err(|_| internal())?;
    let connections: BTreeSet<&ConnectionName> = schemas.provided.values().collect();
    for connection in connections {
        let provided = egress.provided_arguments(call, connection).await;
        let mut provided = provided.map_err(|failure| {
            let mut error = PublicError::new(failure.code.into(), failure.message);
            if error.code == ErrorCode::CredentialUnavailable {
                error.retry_after = call.credential_wait();
            }
            error
        })?;
        for (argument, from) in &schemas.provided {
            if from == connection {
                let value = provided.remove(argument).ok_or_else(internal)?;
                let value = match value.as_str().filter(|_| schemas.numbers.contains(argument)) {
                    None => value,
                    Some(text) => number(text).ok_or_else(|| {
                        let message = format!(
                            "what the credential of connection {connection} provides for {argument} is not an integer"
                        );
                        PublicError::new(ErrorCode::NotConnected, message)
                    })?,
                };
                members.insert(argument.clone(), value);
            }
        }
    }
    let value = Value::Object(members);
    let text = value.to_string();
    let own = Arc::clone(entry);
    let checked = work.run(move |budget| match &own.schemas().whole {
        Some(whole) => whole.check(&value, budget),
        None => Ok(Ok(())),
    });
    let unfit = || {
        let message = "what the credential provides does not fit the tool's schema";
        PublicError::new(ErrorCode::NotConnected, message)
    };
    let fits = checked
        .await
        .map_err(|error| work_error(error, call.grant().limits.wall_ms, unfit))?;
    fits.map_err(|misfit| unfit().about(misfit.place))?;
    Ok(text)
}

/// A whole number that is written as JSON writes it: no sign before it, no zeros.
fn number(text: &str) -> Option<Value> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then(|| number.into())
}
