use toolhost_policy::Secret;
use url::form_urlencoded;

use super::LoginError;

/// The longest query that is read, in bytes.
const MAX_QUERY: usize = 8 << 10;

/// What an authorization server sends a user back with (RFC 6749 section 4.1.2).
pub struct LoginAnswer {
    state: String,
    pub(super) issuer: Option<String>,
    /// The code, or a no.
    pub(super) outcome: Result<Secret, LoginError>,
}

impl LoginAnswer {
    /// Reads a query, without its `?`. A parameter that is there twice makes it nobody's: two
    /// readers could each believe another one.
    ///
    /// # Errors
    /// [`LoginError::Answer`]. A no of the server is an answer, which [`super::Login::finish`]
    /// tells.
    pub fn read(query: &str) -> Result<Self, LoginError> {
        if query.len() > MAX_QUERY {
            return Err(LoginError::Answer);
        }
        let (mut state, mut issuer, mut code, mut error) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "state" => &mut state,
                "iss" => &mut issuer,
                "code" => &mut code,
                "error" => &mut error,
                // A server may add others, and a client must ignore them.
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(LoginError::Answer);
            }
        }
        let outcome = match (code, error) {
            (Some(code), None) if !code.is_empty() => Ok(Secret::from(code)),
            (None, Some(_)) => Err(LoginError::Denied),
            _ => return Err(LoginError::Answer),
        };
        let state = state.ok_or(LoginError::Answer)?;
        Ok(Self {
            state,
            issuer,
            outcome,
        })
    }

    /// The state that the login was begun with.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }
}

impl std::fmt::Debug for LoginAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginAnswer")
    }
}

#[cfg(test)]
mod tests {
    use super::LoginAnswer as Answer;
    use crate::LoginError;

    #[test]
    fn a_code_or_a_no_is_read_and_what_is_neither_is_not() {
        let read = Answer::read("code=c%201&state=s&iss=https%3A%2F%2Fidp.example&session_state=x")
            .unwrap();
        assert_eq!(
            (read.state.as_str(), read.issuer.as_deref()),
            ("s", Some("https://idp.example"))
        );
        assert_eq!(read.outcome.unwrap().expose(), b"c 1");
        let no = Answer::read("error=access_denied&error_description=evil&state=s").unwrap();
        assert_eq!(no.outcome.err(), Some(LoginError::Denied));
        for query in [
            "",
            "code=c",
            "state=s",
            "code=&state=s",
            "code=c&error=x&state=s",
            "code=c&code=d&state=s",
            "code=c&state=s&state=t",
            "code=c&state=s&iss=a&iss=b",
        ] {
            assert_eq!(
                Answer::read(query).err(),
                Some(LoginError::Answer),
                "{query}"
            );
        }
        assert!(Answer::read(&format!("code={}&state=s", "c".repeat(9_000))).is_err());
    }
}
