//! What a call must be before anything of it runs.

use serde_json::Map;
use toolhost_policy::{ErrorCode, Limit, PublicError};

use crate::catalogue::Served;
use crate::nulls;
use crate::schema::names_a_tenant;
use crate::{ClientCapabilities, ModelArgs, ToolEntry};

pub(crate) fn check_client(entry: &ToolEntry, client: ClientCapabilities) -> Result<(), PublicError> {
    match entry.requires.iter().find(|kind| !client.has(kind)) {
        None => Ok(()),
        Some(kind) => Err(input_unsupported(kind)),
    }
}

pub(crate) fn input_unsupported(kind: &str) -> PublicError {
    PublicError::new(
        ErrorCode::InputUnsupported,
        format!("the tool needs a client that offers {kind}"),
    )
    .about(kind)
}

/// The arguments as the guest gets them, once they fit the tool's schema.
pub(crate) fn check_arguments(
    entry: &ToolEntry,
    served: &Served,
    args: ModelArgs,
) -> Result<String, PublicError> {
    let mut value = args.into_value();
    let text = value.to_string();
    let max = served.limits.arguments_bytes;
    if text.len() as u64 > max {
        let message = format!(
            "the arguments have {} bytes, more than {max} ([limits] arguments_bytes)",
            text.len()
        );
        return Err(PublicError::new(ErrorCode::LimitExceeded, message).about(Limit::arguments_bytes.key()));
    }
    // A schema may be open to any member; not to this one (N19).
    if let Some(name) = value
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .find(|name| names_a_tenant(name) && !entry.describes(name))
    {
        let message = "the tenant is no argument: it comes from the caller's token";
        return Err(PublicError::new(ErrorCode::InvalidArguments, message).about(format!("/{name}")));
    }
    if let Some(name) = value
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .find(|name| entry.schemas().provided.contains_key(*name))
    {
        let message = "the host fills this argument itself, for the tenant of the call";
        return Err(PublicError::new(ErrorCode::InvalidArguments, message).about(format!("/{name}")));
    }
    nulls::check(&entry.schemas().arguments, &mut value).map_err(|(sentence, place)| {
        let error = PublicError::new(ErrorCode::InvalidArguments, sentence);
        if place.is_empty() {
            error
        } else {
            error.about(place)
        }
    })?;
    // Without the nulls that were left out.
    Ok(value.to_string())
}
