use std::collections::BTreeMap;

use crate::{AuthPlacement, Secret};

/// One of several secrets of a credential, and its place on the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPart {
    /// Its name in the credential.
    pub name: String,
    /// Where it goes: never [`AuthPlacement::Parts`] or [`AuthPlacement::None`].
    pub auth: AuthPlacement,
}

/// The secrets of a credential with several, in the order of `parts`. Such a credential is a JSON
/// object of texts, one for each part and no other: a secret that goes nowhere could not be told
/// from one that was forgotten.
#[must_use]
pub fn secrets_of_parts(parts: &[SecretPart], whole: &[u8]) -> Option<Vec<Secret>> {
    let mut given: BTreeMap<String, String> = serde_json::from_slice(whole).ok()?;
    let secrets: Option<Vec<Secret>> = parts
        .iter()
        .map(|part| given.remove(&part.name).map(Secret::from))
        .collect();
    let rest = given.into_values().map(Secret::from).count();
    secrets.filter(|_| rest == 0)
}

#[cfg(test)]
mod tests {
    use super::{SecretPart, secrets_of_parts};
    use crate::AuthPlacement;

    #[test]
    fn a_credential_has_each_part_and_no_other() {
        let part = |name: &str| SecretPart {
            name: name.into(),
            auth: AuthPlacement::Bearer,
        };
        let parts = [part("secret"), part("client_id")];
        let of = |text: &str| {
            let secrets = secrets_of_parts(&parts, text.as_bytes())?;
            Some(
                secrets
                    .iter()
                    .map(|secret| secret.expose().to_vec())
                    .collect::<Vec<_>>(),
            )
        };
        let read = of(r#"{"client_id":"id-1","secret":"s\"1"}"#).unwrap();
        assert_eq!(read, [b"s\"1".to_vec(), b"id-1".to_vec()]);
        for text in [
            "",
            "plain",
            "[]",
            "{}",
            r#"{"secret":"a"}"#,
            r#"{"secret":"a","client_id":"b","more":"c"}"#,
            r#"{"secret":"a","client_id":7}"#,
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
