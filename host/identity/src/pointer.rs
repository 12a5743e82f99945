use serde_json::{Map, Value};

/// Where a claim is: a JSON Pointer (RFC 6901) of at least one member, such as `/tenantId` or
/// `/https:~1~1example.com~1tenant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPointer(Vec<String>);

impl ClaimPointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// It does not begin with `/`, has an empty member, or a `~` that is not `~0` or `~1`.
    pub fn parse(text: &str) -> Result<Self, ClaimPointerError> {
        let rest = text.strip_prefix('/').ok_or(ClaimPointerError)?;
        rest.split('/')
            .map(|part| {
                let plain = part.replace("~1", "").replace("~0", "");
                if part.is_empty() || plain.contains('~') {
                    return Err(ClaimPointerError);
                }
                Ok(part.replace("~1", "/").replace("~0", "~"))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }

    /// The pointer to the member of these names, outermost first.
    pub(crate) fn of_members<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.map(str::to_owned).collect())
    }

    /// The names on the way, outermost first; at least one.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The value it points to; `null` is none. Arrays are not entered: a place in a list is not a
    /// name.
    pub(crate) fn resolve<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter()
            .try_fold(claims.get(first)?, |value, name| {
                value.as_object()?.get(name)
            })
            .filter(|value| !value.is_null())
    }
}

/// A text is no pointer to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a claim is named by a JSON pointer, such as /tenantId")]
pub struct ClaimPointerError;

#[cfg(test)]
mod tests {
    use super::ClaimPointer;

    #[test]
    fn a_pointer_names_members_and_nothing_else() {
        let claims = serde_json::json!({"a": {"b": 1}, "x/y": {"~": 2}, "list": ["t"]});
        let claims = claims.as_object().unwrap();
        let of = |text| {
            ClaimPointer::parse(text)
                .unwrap()
                .resolve(claims)
                .and_then(serde_json::Value::as_u64)
        };
        assert_eq!(of("/a/b"), Some(1));
        assert_eq!(of("/x~1y/~0"), Some(2));
        assert!(
            ClaimPointer::parse("/list/0")
                .unwrap()
                .resolve(claims)
                .is_none()
        );
        for bad in ["", "tenantId", "/", "/a//b", "/a~", "/a~2", "$.a"] {
            assert!(ClaimPointer::parse(bad).is_err(), "{bad:?}");
        }
    }
}
