use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::SinkError;

/// The system's time in UTC, as RFC 3339. It may jump: what orders records is their number.
pub(crate) fn now() -> Result<String, SinkError> {
    OffsetDateTime::now_utc()
        .format(&Rfc3339)
        .map_err(|error| SinkError::Event(error.to_string()))
}
