use toolhost_sdk::{Failure, HttpError};

/// What the model is told when the billing system did not do it. Its own error texts are not passed
/// on: they are written for its operators.
pub(crate) fn failure(error: HttpError, not_found: impl Into<String>) -> Failure {
    let message = match error.status {
        Some(404) => return Failure::failed(not_found),
        Some(409) => {
            "the billing system refused: it conflicts with what was done before".to_owned()
        }
        Some(422) => {
            "the billing system refused the values: compare them with what the invoice says"
                .to_owned()
        }
        Some(429) => "the billing system asks to wait".to_owned(),
        Some(status @ 400..=499) => {
            format!("the billing system refused the request (status {status})")
        }
        Some(status) => format!("the billing system failed (status {status}), try again later"),
        None => return error.into(),
    };
    // Its code and how long to wait stay.
    Failure {
        message,
        ..error.into()
    }
}
