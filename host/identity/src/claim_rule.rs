use serde_json::{Map, Value};

use crate::ClaimPointer;

/// What must hold of claims so that a [`ClaimRule`] applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimTest {
    /// One of the claims is this text, byte for byte.
    Equals(String),
    /// One of the claims is a text that begins with this one.
    Prefix(String),
    /// One of the claims is a text that ends with this one.
    Suffix(String),
    /// One of the claims is the same text as that other claim.
    SameAs(ClaimPointer),
    /// One of the claims is there and is another text than that other claim, or that one is
    /// missing.
    DiffersFrom(ClaimPointer),
    /// One of the claims is there.
    Present,
    /// None of the claims is there.
    Absent,
}

/// Something that a token's claims say of it: "claim A equals claim B", "the claim is absent". A
/// claim that is `null` is not there, and a list of one text is that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRule {
    /// Where the claims are.
    pub claims: Vec<ClaimPointer>,
    /// What must hold of them.
    pub test: ClaimTest,
}

impl ClaimRule {
    /// Whether it applies to these claims.
    pub(crate) fn applies(&self, claims: &Map<String, Value>) -> bool {
        let mut values = self.claims.iter().filter_map(|claim| claim.resolve(claims));
        let mut texts = self
            .claims
            .iter()
            .filter_map(|claim| text(claim.resolve(claims)?));
        match &self.test {
            ClaimTest::Equals(wanted) => texts.any(|text| text == wanted),
            ClaimTest::Prefix(wanted) => texts.any(|text| text.starts_with(wanted)),
            ClaimTest::Suffix(wanted) => texts.any(|text| text.ends_with(wanted)),
            ClaimTest::SameAs(other) => {
                let other = other.resolve(claims).and_then(text);
                other.is_some_and(|other| texts.any(|text| text == other))
            }
            ClaimTest::DiffersFrom(other) => {
                let other = other.resolve(claims).and_then(text);
                texts.any(|text| Some(text) != other)
            }
            ClaimTest::Present => values.next().is_some(),
            ClaimTest::Absent => values.next().is_none(),
        }
    }
}

/// A text, or the only one of a list.
pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(list) => match list.as_slice() {
            [Value::String(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ClaimRule, ClaimTest};
    use crate::ClaimPointer;

    #[test]
    fn each_test_holds_where_it_says_and_nowhere_else() {
        let claims = json!({"sub": "b", "azp": "b", "aud": ["b"], "n": null, "num": 1, "name": "service-account-b", "two": ["b", "c"]});
        let claims = claims.as_object().unwrap();
        let pointer = |text: &str| ClaimPointer::parse(text).unwrap();
        let holds = |names: &[&str], test: ClaimTest| {
            let claims_at = names.iter().map(|name| pointer(name)).collect();
            ClaimRule {
                claims: claims_at,
                test,
            }
            .applies(claims)
        };
        assert!(holds(&["/sub"], ClaimTest::Equals("b".into())));
        assert!(
            !holds(&["/two"], ClaimTest::Equals("b".into()))
                && !holds(&["/num"], ClaimTest::Equals("1".into()))
        );
        assert!(holds(
            &["/x", "/name"],
            ClaimTest::Prefix("service-account-".into())
        ));
        assert!(holds(&["/name"], ClaimTest::Suffix("-b".into())));
        assert!(holds(&["/sub"], ClaimTest::SameAs(pointer("/aud"))));
        assert!(
            !holds(&["/sub"], ClaimTest::SameAs(pointer("/x")))
                && !holds(&["/x"], ClaimTest::SameAs(pointer("/y")))
        );
        assert!(!holds(&["/sub"], ClaimTest::DiffersFrom(pointer("/azp"))));
        assert!(
            holds(&["/sub"], ClaimTest::DiffersFrom(pointer("/x")))
                && !holds(&["/x"], ClaimTest::DiffersFrom(pointer("/sub")))
        );
        assert!(holds(&["/num"], ClaimTest::Present) && !holds(&["/n"], ClaimTest::Present));
        assert!(
            holds(&["/n", "/x"], ClaimTest::Absent) && !holds(&["/n", "/sub"], ClaimTest::Absent)
        );
    }
}
