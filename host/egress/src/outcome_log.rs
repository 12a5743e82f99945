use crate::{EgressCall, EgressFailure};

pub(crate) fn log_unrecorded(call: &EgressCall, error: &toolhost_audit::SinkError) {
    tracing::error!(call = call.id(), %error, "the end of a request was not recorded");
}

/// The response came, and what it ends in could not be recorded.
pub(crate) fn unrecorded_error(
    call: &EgressCall,
    error: &toolhost_audit::SinkError,
) -> EgressFailure {
    log_unrecorded(call, error);
    EgressFailure::denied("the request cannot be recorded, so its response was withheld")
        .after_sending()
}
