use toolhost_sdk::{Failure, HttpError};

/// What the model is told when the billing system did not do it. Its own error texts are not passed on: they are written
/// for its operators.
pub(crate) fn failure(error: HttpError, not_found: impl Into<String>) -> Failure {
    match error.status {
        Some(404) => Failure::failed(not_found),
        Some(409) => Failure::upstream("the billing system refused: it conflicts with what was done before"),
        Some(422) => Failure::upstream(
            "the billing system refused the values: compare them with what the invoice says",
        ),
        Some(status @ 400..=499) => Failure::upstream(format!(
            "the billing system refused the request (status {status})"
        )),
        Some(status) => Failure::upstream(format!(
            "the billing system failed (status {status}), try again later"
        )),
        None => error.into(),
    }
}
