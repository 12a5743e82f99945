use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use toolhost_policy::{Connection, ConnectionName};
use toolhost_sandbox::contract;

use super::credentials;
use super::host_field::is_own;
use crate::schema::names_a_tenant;

/// How the names of headers begin that no standard has, and the arguments that are made of them.
const OWN_HEADERS: [&str; 2] = ["x-", "x_"];

/// What becomes of the arguments that an adapter named.
#[derive(Debug, Default)]
pub(super) struct HostFilledArguments {
    /// Filled by the host from the credential's attributes.
    pub(super) provided: BTreeMap<String, ConnectionName>,
    /// Of these, what is written as a number.
    pub(super) numbers: BTreeSet<String>,
}

/// Whether the host fills or sets any of these.
pub(super) fn touches(connection: &Connection, arguments: &[contract::Argument]) -> bool {
    if credentials::unset_credentials(connection, arguments)
        .next()
        .is_some()
    {
        return true;
    }
    let provided = |argument: &contract::Argument| {
        connection
            .provide
            .iter()
            .any(|(name, _)| *name == argument.name)
    };
    arguments
        .iter()
        .any(|argument| is_own(connection, argument) || provided(argument))
}

/// The arguments of a tool by which a model chooses a tenant, or an account, of the other system:
/// by the name that the model sees or by the one on the wire.
pub(super) fn of_tenants<'a>(
    connection: &'a Connection,
    arguments: &'a [contract::Argument],
) -> impl Iterator<Item = &'a str> {
    let is_chosen = |argument: &contract::Argument| {
        let is_provided = connection
            .provide
            .iter()
            .any(|(name, _)| *name == argument.name);
        !is_provided && !is_own(connection, argument)
    };
    let means_one = |argument: &contract::Argument| {
        let is_header = argument.location == "header";
        [&argument.name, &argument.key].into_iter().any(|name| {
            let lower = name.to_ascii_lowercase();
            let own = OWN_HEADERS
                .iter()
                .find_map(|prefix| lower.strip_prefix(prefix));
            names_a_tenant(own.filter(|_| is_header).unwrap_or(name))
        })
    };
    let found = arguments
        .iter()
        .filter(move |argument| is_chosen(argument) && means_one(argument));
    found.map(|argument| argument.name.as_str())
}

/// Takes out of a tool's schema what no model chooses: what `provide` fills stays an argument of
/// the adapter (`whole`), and what the host itself puts on the request is none at all.
///
/// # Errors
/// The schema demands it in another place, or it is of a type that a text cannot fill.
pub(super) fn take(
    connection: &Connection,
    arguments: &[contract::Argument],
    whole: &mut Map<String, Value>,
    model: &mut Map<String, Value>,
) -> Result<HostFilledArguments, String> {
    let mut taken = HostFilledArguments::default();
    for argument in credentials::unset_credentials(connection, arguments) {
        let name = &argument.name;
        if argument.required {
            return Err(format!(
                "it needs {name:?}, a credential, which no model has: place it with connections.{0}.auth, or let models give it with connections.{0}.offered_arguments",
                connection.name
            ));
        }
        remove(whole, name)?;
        remove(model, name)?;
    }
    for argument in arguments {
        let name = &argument.name;
        if is_own(connection, argument) {
            remove(whole, name)?;
            remove(model, name)?;
            continue;
        }
        if !connection
            .provide
            .iter()
            .any(|(provided, _)| provided == name)
        {
            continue;
        }
        let Some(property) = remove(model, name)? else {
            continue;
        };
        match kind_of(&property) {
            Some(ArgumentKind::Text) => {}
            Some(ArgumentKind::Number) => {
                taken.numbers.insert(name.clone());
            }
            None => {
                return Err(format!(
                    "connections.{}.provide fills the argument {name:?}, which is neither a text nor a number",
                    connection.name
                ));
            }
        }
        taken.provided.insert(name.clone(), connection.name.clone());
    }
    Ok(taken)
}

enum ArgumentKind {
    Text,
    Number,
}

/// What can fill a property. One that says nothing of its type takes a text; the whole is checked
/// again when it is filled.
fn kind_of(property: &Value) -> Option<ArgumentKind> {
    let is = |kind: &str| match property.get("type") {
        None => kind == "string",
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        Some(_) => false,
    };
    if is("string") {
        Some(ArgumentKind::Text)
    } else if is("integer") || is("number") {
        Some(ArgumentKind::Number)
    } else {
        None
    }
}

/// Takes a property out of `properties` and `required`.
fn remove(schema: &mut Map<String, Value>, name: &str) -> Result<Option<Value>, String> {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    let removed = properties.and_then(|properties| properties.remove(name));
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|known| known != name);
    }
    // What stands beside could still ask for it: then no call of a model would fit.
    const BESIDE: [&str; 6] = [
        "allOf",
        "anyOf",
        "oneOf",
        "if",
        "dependentRequired",
        "minProperties",
    ];
    if removed.is_some() && BESIDE.iter().any(|key| schema.contains_key(*key)) {
        return Err(format!(
            "its schema has more to say of {name:?}, which the host fills"
        ));
    }
    Ok(removed)
}
