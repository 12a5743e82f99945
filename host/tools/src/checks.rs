//! What a call must be before anything of it runs.

use std::sync::Arc;

use serde_json::Map;
use toolhost_egress::{HostWork, WorkError};
use toolhost_policy::{ErrorCode, Limit, PublicError, WorkLimit};
use toolhost_sandbox::SandboxError;
use toolhost_schema::Misfit;

use crate::catalogue_entry::GrantedPlugin;
use crate::nulls;
use crate::schema::names_a_tenant;
use crate::{ClientCapabilities, ModelArgs, ToolEntry};

pub(crate) fn check_client(
    entry: &ToolEntry,
    client: ClientCapabilities,
) -> Result<(), PublicError> {
    match entry.requires.iter().find(|kind| !client.has(kind)) {
        None => Ok(()),
        Some(kind) => Err(input_unsupported_error(kind)),
    }
}

pub(crate) fn input_unsupported_error(kind: &str) -> PublicError {
    PublicError::new(
        ErrorCode::InputUnsupported,
        format!("the tool needs a client that offers {kind}"),
    )
    .about(kind)
}

/// The arguments as the guest gets them, once they fit the tool's schema.
///
/// # Errors
/// They are too large, name what a model does not choose, or do not fit; or the check reached its
/// bound.
pub(crate) async fn check_arguments(
    entry: &Arc<ToolEntry>,
    served: &GrantedPlugin,
    args: ModelArgs,
    work: &HostWork,
) -> Result<String, PublicError> {
    let value = args.into_value();
    let text = value.to_string();
    let max = served.limits.arguments_bytes;
    if text.len() as u64 > max {
        let message = format!(
            "the arguments have {} bytes, more than {max} ([limits] arguments_bytes)",
            text.len()
        );
        return Err(
            PublicError::new(ErrorCode::LimitExceeded, message).about(Limit::arguments_bytes.key())
        );
    }
    // A schema may be open to any member; not to this one (N19).
    if let Some(name) = value
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .find(|name| names_a_tenant(name) && !entry.describes(name))
    {
        let message = "the tenant is not an argument: it comes from the caller's token";
        return Err(
            PublicError::new(ErrorCode::InvalidArguments, message).about(format!("/{name}"))
        );
    }
    if let Some(name) = value
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .find(|name| entry.schemas().provided.contains_key(*name))
    {
        let message = "the host fills this argument itself, for the tenant of the call";
        return Err(
            PublicError::new(ErrorCode::InvalidArguments, message).about(format!("/{name}"))
        );
    }
    let checked = match work
        .run_inline(|budget| nulls::check(&entry.schemas().arguments, &value, budget))
    {
        Some(checked) => checked,
        None => {
            let entry = Arc::clone(entry);
            work.run_on_pool(move |budget| nulls::check(&entry.schemas().arguments, &value, budget))
                .await
        }
    };
    let fits = checked.map_err(|error| {
        let sentence =
            "the arguments are too large or too deep to be checked against the tool's schema";
        work_error(error, served.limits.wall_ms, || {
            PublicError::new(ErrorCode::InvalidArguments, sentence)
        })
    })?;
    fits.map(|changed| changed.map_or(text, |value| value.to_string()))
        .map_err(|misfit| misfit_of_arguments(&misfit))
}

/// What a caller hears of arguments that do not fit.
pub(crate) fn misfit_of_arguments(misfit: &Misfit) -> PublicError {
    let error = PublicError::new(ErrorCode::InvalidArguments, sentence(misfit));
    match misfit.place.is_empty() {
        true => error,
        false => error.about(misfit.place.clone()),
    }
}

/// A misfit and its place.
pub(crate) fn sentence(misfit: &Misfit) -> String {
    match misfit.place.is_empty() {
        true => misfit.message.clone(),
        false => format!("{} at {}", misfit.message, misfit.place),
    }
}

/// Why a piece of the host's work for a call came to no end: `bound` where it needed more than any
/// may have.
pub(crate) fn work_error(
    error: WorkError,
    wall_ms: u64,
    bound: impl FnOnce() -> PublicError,
) -> PublicError {
    match error {
        WorkError::Limit(WorkLimit::Deadline) => PublicError::from(&SandboxError::Timeout(wall_ms)),
        WorkError::Limit(WorkLimit::Steps | WorkLimit::Depth) => bound(),
        WorkError::Failed => PublicError::from(&SandboxError::Internal),
    }
}
