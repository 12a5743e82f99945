//! Arguments of described tools that are credentials: a document offers them like any other, and no model has one.

use toolhost_policy::Connection;
use toolhost_sandbox::contract;

use super::arguments::is_own;

/// Names of arguments that hold what proves who calls, in lower case, by letters and digits alone.
const CREDENTIALS: [&str; 22] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apisecret",
    "apitoken",
    "applicationkey",
    "appsecret",
    "authenticationtoken",
    "authkey",
    "authtoken",
    "authorization",
    "bearertoken",
    "clientsecret",
    "consumersecret",
    "oauthtoken",
    "privatetoken",
    "refreshtoken",
    "secretkey",
    "sessiontoken",
    "token",
    "useraccesstoken",
    "usertoken",
];

/// A key that says so only beside one of the names above, as with Google's APIs: elsewhere it is a word of anybody's.
const BESIDE_ANOTHER: &str = "key";

/// The arguments of a tool that are credentials, and which the operator's configuration neither sets, provides nor offers to
/// models (`connections.NAME.offered_arguments`).
pub(super) fn of<'a>(
    connection: &'a Connection,
    arguments: &'a [contract::Argument],
) -> impl Iterator<Item = &'a contract::Argument> {
    let is_left = |argument: &contract::Argument| {
        let names = [&argument.name, &argument.key];
        let is_provided = connection.provide.iter().any(|(name, _)| *name == argument.name);
        let is_offered = connection
            .offered_arguments
            .iter()
            .any(|name| names.contains(&name));
        !is_provided && !is_offered && !is_own(connection, argument)
    };
    let has_another = arguments.iter().any(names_a_credential);
    arguments.iter().filter(move |argument| {
        let is_key = has_another && argument.location == "query" && argument.key == BESIDE_ANOTHER;
        (is_key || names_a_credential(argument)) && is_left(argument)
    })
}

/// Whether an argument's name, here or on the wire, says that it is a credential. What stands in a path names a thing there.
fn names_a_credential(argument: &contract::Argument) -> bool {
    if !matches!(argument.location.as_str(), "query" | "header" | "cookie" | "body") {
        return false;
    }
    [&argument.name, &argument.key].into_iter().any(|name| {
        let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
        let plain: Vec<u8> = letters.map(|byte| byte.to_ascii_lowercase()).collect();
        let plain = String::from_utf8_lossy(&plain);
        let own = plain.strip_prefix('x').filter(|_| argument.location == "header");
        CREDENTIALS.contains(&&*plain) || own.is_some_and(|own| CREDENTIALS.contains(&own))
    })
}

#[cfg(test)]
mod tests {
    use toolhost_sandbox::contract;

    use super::names_a_credential;

    #[test]
    fn a_credential_is_told_by_its_name_and_its_place() {
        let is = |name: &str, location: &str| {
            names_a_credential(&contract::Argument {
                name: name.to_owned(),
                location: location.to_owned(),
                key: name.to_owned(),
                required: false,
                meta: vec![],
            })
        };
        for (name, location) in [
            ("access_token", "query"),
            ("api_key", "query"),
            ("apikey", "query"),
            ("API-Key", "header"),
            ("X-Api-Key", "header"),
            ("token", "body"),
            ("client_secret", "body"),
            ("private_token", "cookie"),
        ] {
            assert!(is(name, location), "{name} {location}");
        }
        for (name, location) in [
            ("token", "path"),
            ("page_token", "query"),
            ("next_token", "query"),
            ("token_type", "query"),
            ("password", "body"),
            ("key", "query"),
            ("body", "content"),
            ("max_tokens", "body"),
        ] {
            assert!(!is(name, location), "{name} {location}");
        }
    }
}
