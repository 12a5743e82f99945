use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::toolhost::plugin::http as wire;
use crate::{Exchange, HttpError, host};

/// A connection of the plugin's manifest. The host decides where it leads and what it adds.
///
/// ```no_run
/// # use toolhost_sdk::{Http, HttpError};
/// # #[derive(serde::Deserialize)] struct Invoice { id: String }
/// # fn main() -> Result<(), HttpError> {
/// let invoice: Invoice = Http::connection("billing").get("/v1/invoices/{id}").param("id", "inv_1").send()?.json()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Http<'a> {
    connection: &'a str,
}

impl<'a> Http<'a> {
    /// The connection with this name in the manifest.
    #[must_use]
    pub const fn connection(name: &'a str) -> Self {
        Self { connection: name }
    }

    /// A `GET` of a path template of the manifest.
    pub fn get(self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A `POST` to a path template of the manifest.
    pub fn post(self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// A `PUT` to a path template of the manifest.
    pub fn put(self, path: &str) -> Request {
        self.request("PUT", path)
    }

    /// A `PATCH` of a path template of the manifest.
    pub fn patch(self, path: &str) -> Request {
        self.request("PATCH", path)
    }

    /// A `DELETE` of a path template of the manifest.
    pub fn delete(self, path: &str) -> Request {
        self.request("DELETE", path)
    }

    /// Any other upper-case method.
    pub fn request(self, method: &str, path: &str) -> Request {
        Request {
            wire: wire::Request {
                connection: self.connection.to_owned(),
                method: method.to_owned(),
                path: path.to_owned(),
                parameters: Vec::new(),
                query: Vec::new(),
                headers: Vec::new(),
                body: None,
                meta: Vec::new(),
            },
            mistake: None,
        }
    }
}

/// A request that is being put together. Nothing is encoded here: the host does it, so a value
/// cannot leave its place.
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    wire: wire::Request,
    mistake: Option<HttpError>,
}

impl Request {
    /// The value of a `{name}` of the path template.
    pub fn param(mut self, name: &str, value: impl ToString) -> Self {
        self.wire
            .parameters
            .push((name.to_owned(), value.to_string()));
        self
    }

    /// One query pair; may be repeated.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.wire.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// One query pair, when there is a value.
    pub fn query_opt(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// One header field. Those that carry rights or framing are the host's; it refuses them.
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.wire.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The body as it is.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.wire.body = Some(body.into());
        self
    }

    /// A JSON body, with its `content-type`. A value that has no JSON form is an error of
    /// [`Self::send`].
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("content-type", "application/json").body(body),
            Err(error) => Self {
                mistake: Some(HttpError::invalid_request(error.to_string())),
                ..self
            },
        }
    }

    /// Sends it and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// When there was no answer: see [`HttpError`].
    pub fn send(self) -> Result<Response, HttpError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let response = host::send(&self.wire)?;
        Ok(Response {
            status: response.status,
            headers: response.headers,
            body: response.body,
        })
    }

    /// Begins it and returns at once: to read an answer in parts, or to wait for several with
    /// [`crate::join`].
    ///
    /// # Errors
    /// When it was refused before anything was sent.
    pub fn start(self) -> Result<Exchange, HttpError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        Ok(Exchange::new(host::start(&self.wire)?))
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The header fields that the host lets through; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Whether the status is 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The first header field of this name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// After how many seconds the outside system asks to come back, where it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        retry_after(&self.headers)
    }

    /// The scope that the credential lacks for this, where the outside system says so (RFC 6750
    /// section 3.1). For adapters.
    #[must_use]
    pub fn missing_scope(&self) -> Option<&str> {
        missing_scope(&self.headers)
    }

    /// The answer itself if its status is 2xx.
    ///
    /// # Errors
    /// For any other, with the status: `upstream-refused-credential` for 401 and 403,
    /// `upstream-rate-limited` for 429, `upstream-unavailable` for 502 to 504, else `upstream`.
    pub fn success(self) -> Result<Self, HttpError> {
        if self.is_success() {
            return Ok(self);
        }
        Err(HttpError::of_status(self.status, self.retry_after()))
    }

    /// Reads the JSON body of a 2xx answer.
    ///
    /// # Errors
    /// `upstream` for any other status, or for a body that is not such JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, HttpError> {
        let answer = self.success()?;
        serde_json::from_slice(&answer.body).map_err(|error| {
            HttpError::upstream(
                format!("the upstream's answer is not as expected: {error}"),
                None,
            )
        })
    }
}

fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// `Retry-After`, which the host gives in seconds.
pub(crate) fn retry_after(headers: &[(String, String)]) -> Option<u64> {
    header(headers, "retry-after")?.trim().parse().ok()
}

/// `scope` of a challenge with `error="insufficient_scope"`, as the host passes it on.
pub(crate) fn missing_scope(headers: &[(String, String)]) -> Option<&str> {
    let challenge = header(headers, "www-authenticate")?;
    let rest = challenge.strip_prefix("Bearer error=\"insufficient_scope\"")?;
    let scope = rest
        .strip_prefix(", scope=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    Some(scope.unwrap_or("that it asks for"))
}
