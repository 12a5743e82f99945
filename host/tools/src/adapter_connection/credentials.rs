//! Arguments of described tools that are credentials: a document offers them like any other, and no
//! model has one.

use toolhost_policy::Connection;
use toolhost_sandbox::contract;

use super::host_field::is_own;

/// How names of arguments end that hold what proves who calls, in lower case, by letters and digits
/// alone: vendors write their own names in front (`X-Shopify-Access-Token`, `DD-API-KEY`,
/// `hapikey`).
const ENDINGS: [&str; 20] = [
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
    "bearertoken",
    "clientsecret",
    "consumersecret",
    "oauthtoken",
    "privatetoken",
    "refreshtoken",
    "secretkey",
    "securitytoken",
    "sessiontoken",
    "subscriptionkey",
];

/// Names of credentials that count only as a whole: with something in front these are words of
/// anybody's.
const WHOLE: [&str; 6] = [
    "appkey",
    "authorization",
    "idtoken",
    "jwt",
    "token",
    "usertoken",
];

/// How fields end that are named for a token and prove nothing: they say where to go on, or that a
/// request was sent before.
const NO_PROOF: [&str; 8] = [
    "clienttoken",
    "continuationtoken",
    "csrftoken",
    "idempotencytoken",
    "nexttoken",
    "pagetoken",
    "requesttoken",
    "synctoken",
];

/// A key that says so only beside one of the names above, as with Google's APIs: elsewhere it is a
/// word of anybody's.
const BESIDE_ANOTHER: &str = "key";

/// And one that does beside the identity of a client.
const SECRET: &str = "secret";
const CLIENTS: [&str; 3] = ["appid", "clientid", "keyid"];

/// The arguments of a tool that are credentials, and which the operator's configuration neither
/// sets, provides nor offers to models (`connections.NAME.offered_arguments`).
pub(super) fn unset_credentials<'a>(
    connection: &'a Connection,
    arguments: &'a [contract::Argument],
) -> impl Iterator<Item = &'a contract::Argument> {
    let is_left = |argument: &contract::Argument| {
        let names = [&argument.name, &argument.key];
        let is_provided = connection
            .provide
            .iter()
            .any(|(name, _)| *name == argument.name);
        let is_offered = connection
            .offered_arguments
            .iter()
            .any(|name| names.contains(&name));
        !is_provided && !is_offered && !is_own(connection, argument)
    };
    let has_another = arguments.iter().any(names_a_credential);
    let has_client = arguments
        .iter()
        .any(|argument| CLIENTS.contains(&&*letters(&argument.key)));
    arguments.iter().filter(move |argument| {
        let is_key = has_another && argument.location == "query" && argument.key == BESIDE_ANOTHER;
        let is_secret =
            has_client && argument.location != "path" && letters(&argument.key) == SECRET;
        (is_key || is_secret || names_a_credential(argument)) && is_left(argument)
    })
}

/// Whether an argument's name, here or on the wire, says that it is a credential. What stands in a
/// path names a thing there.
fn names_a_credential(argument: &contract::Argument) -> bool {
    if !matches!(
        argument.location.as_str(),
        "query" | "header" | "cookie" | "body"
    ) {
        return false;
    }
    let is_header = argument.location == "header";
    [&argument.name, &argument.key].into_iter().any(|name| {
        let plain = letters(name);
        let own = plain
            .strip_prefix('x')
            .filter(|_| is_header)
            .unwrap_or(&plain);
        let ends = |endings: &[&str]| endings.iter().any(|ending| plain.ends_with(ending));
        let is_token = is_header && plain.ends_with("token") && !ends(&NO_PROOF);
        ends(&ENDINGS) || is_token || WHOLE.contains(&&*plain) || WHOLE.contains(&own)
    })
}

/// Of a name its letters and digits, in lower case.
fn letters(name: &str) -> String {
    let plain = name.chars().filter(char::is_ascii_alphanumeric);
    plain.map(|c| c.to_ascii_lowercase()).collect()
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
            ("X-Shopify-Access-Token", "header"),
            ("DD-APPLICATION-KEY", "header"),
            ("Ocp-Apim-Subscription-Key", "header"),
            ("X-Vault-Token", "header"),
            ("X-Amz-Security-Token", "query"),
            ("hapikey", "query"),
            ("auth[access_token]", "body"),
            ("id_token", "body"),
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
            ("valid_token", "body"),
            ("preauthorization", "body"),
            ("device_token", "body"),
            ("X-Next-Token", "header"),
            ("Idempotency-Key", "header"),
            ("secret", "body"),
        ] {
            assert!(!is(name, location), "{name} {location}");
        }
    }
}
