use std::time::Duration;

use url::Url;

/// How long an answer may take where nothing else is configured. A caller waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the host itself sends something, as the operator configured it. Nothing of a request, a
/// token or an answer has a part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Where to.
    pub url: Url,
    /// `http` is acceptable.
    pub allow_http: bool,
    /// A loopback address is acceptable.
    pub allow_loopback: bool,
    /// A private address is acceptable.
    pub allow_private: bool,
    /// How long an answer may take, from the first look-up to its last byte.
    pub timeout: Duration,
}

impl Destination {
    /// `https` and a public address.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            allow_http: false,
            allow_loopback: false,
            allow_private: false,
            timeout: TIMEOUT,
        }
    }

    /// Whether a secret may be sent there: nobody reads it on the way unless the operator said so,
    /// and the URL holds none of its own.
    #[must_use]
    pub fn is_fit_for_secrets(&self) -> bool {
        let url = &self.url;
        let secure = url.scheme() == "https" || (self.allow_http && url.scheme() == "http");
        secure && url.has_host() && url.username().is_empty() && url.password().is_none()
    }

    /// This destination with another path below it, of segments that stand for themselves whatever
    /// they hold. `None` where the URL cannot have a path.
    #[must_use]
    pub fn below<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut below = self.clone();
        below
            .url
            .path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(segments);
        Some(below)
    }
}

#[cfg(test)]
mod tests {
    use super::Destination;

    fn fits(url: &str, allow_http: bool) -> bool {
        let destination = Destination {
            allow_http,
            ..Destination::new(url.parse().unwrap())
        };
        destination.is_fit_for_secrets()
    }

    #[test]
    fn a_secret_goes_over_https_unless_told_and_never_to_a_url_with_a_user() {
        assert!(fits("https://broker.example/x", false) && fits("http://127.0.0.1:1/x", true));
        for url in [
            "http://broker.example/x",
            "ftp://broker.example/x",
            "data:,x",
            "https://u@broker.example/x",
            "https://u:p@broker.example/x",
        ] {
            assert!(!fits(url, false), "{url}");
        }
        assert!(!fits("http://u:p@broker.example/x", true));
    }

    #[test]
    fn a_path_below_keeps_its_segments_apart() {
        let below = |segments: &[&str]| {
            let base = Destination::new("https://vault.example/ui/".parse().unwrap());
            base.below(segments.iter().copied())
                .unwrap()
                .url
                .to_string()
        };
        assert_eq!(
            below(&["v1", "secret"]),
            "https://vault.example/ui/v1/secret"
        );
        assert_eq!(
            below(&["a/b", "c?d#e"]),
            "https://vault.example/ui/a%2Fb/c%3Fd%23e"
        );
    }
}
