use toolhost_net::AddressPolicy;
use toolhost_policy::{CheckedConnection, Connection};
use toolhost_sandbox::contract;
use url::Url;

use crate::config::{self, AdapterSettings, Spec};
use crate::exit::CliError;

/// The connection at the place that its document says, where the operator does not say one. It is
/// checked as a configured one is.
///
/// # Errors
/// The document says none, or one that no configuration could have.
pub(super) fn of_document(
    connection: &CheckedConnection,
    settings: &AdapterSettings,
    discovery: &contract::Discovery,
) -> Result<CheckedConnection, CliError> {
    if !settings.takes_base {
        return Ok(connection.clone());
    }
    let name = &connection.name;
    let refuse =
        |why: String| CliError::usage(format!("connections.{name}.base is missing, and {why}"));
    let said = discovery
        .base
        .as_deref()
        .ok_or_else(|| refuse("its document does not say where the system is".to_owned()))?;
    let shown = crate::output::printable(said);
    let base = match (Url::parse(said), &settings.spec) {
        (Ok(base), _) => base,
        (Err(url::ParseError::RelativeUrlWithoutBase), Some(Spec::Url(document))) => document
            .join(said)
            .map_err(|why| refuse(format!("{shown:?} of its document does not parse: {why}")))?,
        (Err(why), _) => {
            return Err(refuse(format!(
                "{shown:?} of its document is no place: {why}"
            )));
        }
    };
    let unfit = |why: String| refuse(format!("{base}, which its document says, {why}"));
    config::check_base(&base).map_err(&unfit)?;
    if base.scheme() == "http" && !connection.allow_http {
        return Err(unfit(format!(
            "sends the credential in the clear; set connections.{name}.allow_http = true if that is meant"
        )));
    }
    config::reachable(
        &base,
        &AddressPolicy::from_connection(connection),
        &format!("connections.{name}"),
    )
    .map_err(&unfit)?;
    let placed = Connection {
        base,
        ..connection.to_connection()
    };
    CheckedConnection::new(placed).map_err(|why| refuse(why.to_string()))
}

/// What a yes is asked for: the base, where it is the document's.
pub(super) fn proposed_base(settings: &AdapterSettings, connection: &Connection) -> Option<String> {
    settings.takes_base.then(|| connection.base.to_string())
}
