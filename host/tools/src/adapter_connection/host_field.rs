use toolhost_policy::Connection;
use toolhost_sandbox::contract;

/// Whether the host writes this place on every request, from the operator's configuration.
pub(super) fn is_own(connection: &Connection, argument: &contract::Argument) -> bool {
    let key = argument.key.as_str();
    let auth = &connection.auth;
    match argument.location.as_str() {
        "header" => {
            auth.headers().any(|own| own.as_str() == key)
                || connection
                    .headers
                    .iter()
                    .any(|(own, _)| own.as_str() == key)
        }
        // The credential is the whole field then: no other cookie stands beside it.
        "cookie" => auth.headers().any(|own| own == http::header::COOKIE),
        "query" => {
            let own = connection.filled.query.iter().map(|(own, _)| own.as_str());
            own.chain(auth.query_keys())
                .any(|own| own.eq_ignore_ascii_case(key))
        }
        "body" => auth
            .pointers()
            .any(|pointer| pointer.strip_prefix('/') == Some(key)),
        _ => false,
    }
}
