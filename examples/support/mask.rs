use serde_json::Value;

/// How much of a secret may be seen, so that two can be told apart.
const SHOWN: usize = 4;

/// Members of a JSON body that open something.
const SECRET_MEMBERS: [&str; 2] = ["password", "access_token"];

/// `Bearer tok_live_0123456789` becomes `Bearer ****6789`.
#[must_use]
pub fn mask(value: &str) -> String {
    let (scheme, secret) = value.split_once(' ').unwrap_or(("", value));
    let tail: String = if secret.chars().count() > 4 * SHOWN {
        secret
            .chars()
            .skip(secret.chars().count() - SHOWN)
            .collect()
    } else {
        String::new()
    };
    format!("{scheme} ****{tail}").trim_start().to_owned()
}

/// A body as it may be recorded.
pub(crate) fn body(bytes: &[u8]) -> String {
    let Ok(mut json) = serde_json::from_slice::<Value>(bytes) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut masked = false;
    for name in SECRET_MEMBERS {
        if let Some(value) = json.get_mut(name) {
            *value = Value::String("****".to_owned());
            masked = true;
        }
    }
    if masked {
        json.to_string()
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{body, mask};

    #[test]
    fn a_token_is_never_recorded_whole() {
        assert_eq!(mask("Bearer tok_live_0123456789abc"), "Bearer ****9abc");
        assert_eq!(mask("Bearer short"), "Bearer ****");
        assert_eq!(mask("tok_live_0123456789abc"), "****9abc");
    }

    #[test]
    fn a_password_is_never_recorded_and_other_bodies_are_as_they_came() {
        assert_eq!(
            body(br#"{"password":"p4ss","user":"ada"}"#),
            r#"{"password":"****","user":"ada"}"#
        );
        for other in ["", "not json", r#"{ "tenantId": "a" }"#, "[1]"] {
            assert_eq!(body(other.as_bytes()), other);
        }
    }
}
