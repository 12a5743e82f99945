use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::uri::Authority;
use http::{HeaderMap, Uri, header};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use toolhost_policy::{ErrorCode, PublicError};
use url::{Origin, Url};

use crate::GatewayConfig;
use crate::problem::problem;
use crate::refusals::mark_refused;

/// Which `Host` and `Origin` values are let in, so that a page of another website cannot reach a
/// host on this machine or network by DNS rebinding (T51). Both checks are always on.
#[derive(Debug)]
pub(crate) struct RebindingGuard {
    scheme: String,
    /// The public URL's name, which counts without a port too: proxies pass it on in either way
    /// (nginx: `$host`, `$http_host`).
    public_host: Option<String>,
    hosts: Vec<(String, Option<u16>)>,
    origins: Vec<OriginPattern>,
}

/// The names of this machine for itself, as `Host` has them.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What a probe asks by the address of a machine, or with HTTP/1.0 and no name at all. The answers
/// say nothing about anybody.
const PROBES: [&str; 2] = ["/health", "/ready"];

#[derive(Debug)]
enum OriginPattern {
    Exact(Origin),
    AnyPort(String, url::Host),
}

impl RebindingGuard {
    /// For the routes of a host that listens at this address.
    pub(crate) fn new(config: &GatewayConfig, listener: Option<SocketAddr>) -> Self {
        let own = config.public_url.host_str().map(|host| {
            config
                .public_url
                .port()
                .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
        });
        let mut hosts = Vec::new();
        for entry in own.iter().chain(&config.allowed_hosts) {
            match authority(entry) {
                Some(host) => hosts.push(host),
                None => tracing::warn!(
                    entry,
                    "server.allowed_hosts has an entry that is not a host or host:port"
                ),
            }
        }
        if let Some(listener) = listener.filter(|listener| listener.ip().is_loopback()) {
            // A page of another website has its own name there, whatever that name resolves to.
            hosts.extend(LOOPBACK.map(|name| (name.to_owned(), Some(listener.port()))));
        }
        // What the same origin is where a proxy leaves the port out of `Host`.
        let mut origins = vec![OriginPattern::Exact(config.public_url.origin())];
        for entry in &config.allowed_origins {
            match pattern(entry) {
                Some(origin) => origins.push(origin),
                None => tracing::warn!(
                    entry,
                    "server.allowed_origins has an entry that is not scheme://host:port"
                ),
            }
        }
        Self {
            scheme: config.public_url.scheme().to_owned(),
            public_host: config
                .public_url
                .host_str()
                .map(|host| without_root(host).to_owned()),
            hosts,
            origins,
        }
    }

    /// Only loopback names, and no web origin at all: for the metrics listener.
    pub(crate) fn loopback() -> Self {
        let hosts = LOOPBACK.map(|host| (host.to_owned(), None)).to_vec();
        Self {
            scheme: "http".into(),
            public_host: None,
            hosts,
            origins: Vec::new(),
        }
    }

    /// Whether the request may go on.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), PublicError> {
        let refused = |text: &'static str, about: &'static str| {
            Err(PublicError::new(ErrorCode::Forbidden, text).about(about))
        };
        let host = host(uri, headers);
        let served = host.as_ref().filter(|host| self.matches_host(host));
        if served.is_none() && !PROBES.contains(&uri.path()) {
            return refused(
                "this host does not serve that name; add it to server.allowed_hosts",
                "Host",
            );
        }
        match single_header(headers, &header::ORIGIN) {
            SingleHeader::None => Ok(()),
            SingleHeader::Value(origin) if self.trusts(origin, served) => Ok(()),
            _ => refused(
                "this web origin is not let in; add it to server.allowed_origins",
                "Origin",
            ),
        }
    }

    fn matches_host(&self, (name, port): &(String, Option<u16>)) -> bool {
        if port.is_none() && self.public_host.as_deref() == Some(name) {
            return true;
        }
        let port = port.or_else(|| default_port(&self.scheme));
        self.hosts
            .iter()
            .any(|(known, only)| known == name && only.is_none_or(|only| Some(only) == port))
    }

    fn trusts(&self, origin: &str, host: Option<&(String, Option<u16>)>) -> bool {
        let Some(url) = origin_url(origin) else {
            return false;
        };
        // The page came from the very host it talks to, whose name was checked before.
        let same = host.is_some_and(|(name, port)| {
            url.scheme() == self.scheme
                && url.host_str().map(without_root) == Some(name)
                && url.port_or_known_default() == port.or_else(|| default_port(&self.scheme))
        });
        same || self.origins.iter().any(|pattern| match pattern {
            OriginPattern::Exact(known) => *known == url.origin(),
            OriginPattern::AnyPort(scheme, host) => {
                url.scheme() == scheme && url.host().is_some_and(|own| own.to_owned() == *host)
            }
        })
    }
}

/// The middleware: it stands before every route.
pub(crate) async fn admit(
    State(admitted): State<Arc<RebindingGuard>>,
    request: Request,
    next: Next,
) -> Response {
    match admitted.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let reason = match error.param.as_deref() {
                Some("Host") => "foreign_host",
                _ => "foreign_origin",
            };
            mark_refused(problem(&error), reason, error.message)
        }
    }
}

/// Whether this is a `Host` that can be let in: `host` for any port, or `host:port`.
#[must_use]
pub fn is_allowed_host(entry: &str) -> bool {
    authority(entry).is_some_and(|(host, _)| !host.is_empty())
}

/// Whether this is a web origin that can be let in: `scheme://host`, with a port or with `*` for
/// any.
#[must_use]
pub fn is_allowed_origin(entry: &str) -> bool {
    pattern(entry).is_some()
}

enum SingleHeader<'a> {
    None,
    Value(&'a str),
    Other,
}

fn single_header<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> SingleHeader<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => SingleHeader::None,
        (Some(value), None) => value
            .to_str()
            .map_or(SingleHeader::Other, SingleHeader::Value),
        _ => SingleHeader::Other,
    }
}

/// RFC 9112 section 3.2: exactly one `Host`, and an absolute target names the same one.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<(String, Option<u16>)> {
    let named = match single_header(headers, &header::HOST) {
        SingleHeader::None => None,
        SingleHeader::Value(value) => Some(authority(value)?),
        SingleHeader::Other => return None,
    };
    let target = match uri.authority() {
        None => None,
        Some(target) => Some(authority(target.as_str())?),
    };
    match (named, target) {
        (Some(named), Some(target)) => (named == target).then_some(named),
        (one, other) => one.or(other),
    }
}

fn authority(text: &str) -> Option<(String, Option<u16>)> {
    // A name or an address, and a port; what else a URI allows there is no host of ours.
    if !text.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
    }) {
        return None;
    }
    let authority: Authority = text.parse().ok()?;
    let port = match authority.port() {
        None if authority.as_str().len() == authority.host().len() => None,
        None => return None,
        Some(port) => Some(port.as_u16()),
    };
    Some((without_root(authority.host()).to_ascii_lowercase(), port))
}

/// A name without the dot of the root of all names, which names the same host (RFC 3986 section
/// 3.2.2). An address has none.
fn without_root(name: &str) -> &str {
    match name.strip_suffix('.') {
        Some(rest) if rest.parse::<Ipv4Addr>().is_err() => rest,
        _ => name,
    }
}

fn origin_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    // RFC 6454 section 6.2: scheme, host and port, and nothing after them.
    let bare = matches!(url.scheme(), "http" | "https")
        && url.origin().ascii_serialization() == text.to_ascii_lowercase();
    bare.then_some(url)
}

fn pattern(entry: &str) -> Option<OriginPattern> {
    if let Some(rest) = entry.strip_suffix(":*") {
        let url = origin_url(rest)?;
        return Some(OriginPattern::AnyPort(
            url.scheme().to_owned(),
            url.host()?.to_owned(),
        ));
    }
    // An explicit default port is as good as none.
    let url = Url::parse(entry.trim_end_matches('/')).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.path() == "/")
        .then(|| OriginPattern::Exact(url.origin()))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Uri};

    use super::RebindingGuard;
    use crate::GatewayConfig;

    fn config(public: &str, hosts: &[&str], origins: &[&str]) -> GatewayConfig {
        GatewayConfig {
            public_url: url::Url::parse(public).unwrap(),
            allowed_hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            max_body_bytes: 1,
            version: "0",
        }
    }

    fn admitted(public: &str, hosts: &[&str], origins: &[&str]) -> RebindingGuard {
        RebindingGuard::new(&config(public, hosts, origins), None)
    }

    fn passes(admitted: &RebindingGuard, hosts: &[&str], origins: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append("host", HeaderValue::from_str(host).unwrap());
        }
        for origin in origins {
            headers.append("origin", HeaderValue::from_str(origin).unwrap());
        }
        admitted.check(&Uri::from_static("/mcp"), &headers).is_ok()
    }

    #[test]
    fn only_the_names_of_this_host_are_served() {
        let own = admitted(
            "http://127.0.0.1:8080/mcp",
            &["localhost:8080", "tools.internal"],
            &[],
        );
        for good in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST:8080",
            "tools.internal",
            "tools.internal:99",
            "tools.internal.",
            "Localhost.:8080",
            // As a proxy passes it on that leaves the port out.
            "127.0.0.1",
        ] {
            assert!(passes(&own, &[good], &[]), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8080",
            "localhost",
            "127.0.0.1:80",
            "127.0.0.1.:8080",
            "localhost..:8080",
            "localhost.:8081",
            ".localhost:8080",
            ".:8080",
            "localhost:8080.evil.example",
            "x@127.0.0.1:8080",
            "127.0.0.1:8080@evil",
            "127.1:8080",
            "0x7f000001:8080",
            "",
            "localhost:",
            ":8080",
        ] {
            assert!(!passes(&own, &[bad], &[]), "{bad}");
        }
        assert!(!passes(&own, &[], &[]), "no host at all");
        assert!(
            !passes(&own, &["localhost:8080", "localhost:8080"], &[]),
            "two hosts"
        );
    }

    #[test]
    fn a_loopback_listener_is_reached_by_every_name_of_this_machine_at_its_port() {
        let at = |listener: &str, public: &str| {
            RebindingGuard::new(&config(public, &[], &[]), Some(listener.parse().unwrap()))
        };
        for public in ["http://127.0.0.1:8080/mcp", "https://tools.example.com/mcp"] {
            let own = at("127.0.0.1:8080", public);
            for good in [
                "localhost:8080",
                "localhost.:8080",
                "127.0.0.1:8080",
                "[::1]:8080",
                "LocalHost:8080",
            ] {
                assert!(passes(&own, &[good], &[]), "{good}");
            }
            for bad in [
                "localhost:8081",
                "localhost",
                "evil.test:8080",
                "localhost.evil.test.:8080",
                "evil.test",
                "[::2]:8080",
            ] {
                assert!(!passes(&own, &[bad], &[]), "{bad}");
            }
            assert!(!passes(&own, &["localhost:8080"], &["http://evil.test"]));
        }
        assert!(passes(
            &at("[::1]:8080", "http://[::1]:8080/mcp"),
            &["localhost:8080"],
            &[]
        ));
        let public = at("192.0.2.1:8080", "https://tools.example.com/mcp");
        assert!(
            !passes(&public, &["localhost:8080"], &[]),
            "not a listener of this machine alone"
        );
    }

    #[test]
    fn a_public_url_with_a_port_is_met_with_the_port_and_without() {
        let own = admitted("https://tools.example.com:8443/mcp", &[], &[]);
        let origin = &["https://tools.example.com:8443"];
        for host in ["tools.example.com:8443", "tools.example.com"] {
            assert!(
                passes(&own, &[host], &[]) && passes(&own, &[host], origin),
                "{host}"
            );
        }
        assert!(!passes(&own, &["tools.example.com:9443"], &[]));
        assert!(!passes(
            &own,
            &["tools.example.com"],
            &["https://tools.example.com:9443"]
        ));
    }

    #[test]
    fn a_probe_by_address_is_answered_and_a_page_is_not() {
        let own = admitted("https://tools.example.com/mcp", &[], &[]);
        let get = |path: &str, host: Option<&str>, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("host", host), ("origin", origin)] {
                if let Some(value) = value {
                    headers.append(name, HeaderValue::from_str(value).unwrap());
                }
            }
            own.check(&path.parse().unwrap(), &headers).is_ok()
        };
        for path in ["/health", "/ready"] {
            assert!(
                get(path, Some("10.0.0.7:8080"), None) && get(path, None, None),
                "{path}"
            );
            assert!(
                !get(path, Some("evil.test"), Some("http://evil.test")),
                "{path}"
            );
        }
        for path in ["/mcp", "/health/", "/api/v1/openapi.json", "/"] {
            assert!(!get(path, Some("10.0.0.7:8080"), None), "{path}");
        }
    }

    #[test]
    fn an_absolute_target_names_the_same_host() {
        let own = admitted("http://127.0.0.1:8080/mcp", &[], &[]);
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:8080"));
        assert!(
            own.check(&Uri::from_static("http://127.0.0.1:8080/mcp"), &headers)
                .is_ok()
        );
        assert!(
            own.check(&Uri::from_static("http://evil.example/mcp"), &headers)
                .is_err()
        );
    }

    #[test]
    fn a_default_port_may_be_left_out() {
        let own = admitted("https://tools.example.com/mcp", &[], &[]);
        assert!(passes(
            &own,
            &["tools.example.com"],
            &["https://tools.example.com"]
        ));
        assert!(passes(&own, &["tools.example.com:443"], &[]));
        assert!(
            !passes(&own, &["tools.example.com"], &["http://tools.example.com"]),
            "another scheme is another origin"
        );
    }

    #[test]
    fn a_foreign_origin_is_refused_and_a_missing_one_is_no_browser() {
        let own = admitted(
            "http://127.0.0.1:8080/mcp",
            &[],
            &["https://app.example.com", "http://localhost:*"],
        );
        let host = &["127.0.0.1:8080"];
        for good in [
            "http://127.0.0.1:8080",
            "https://app.example.com",
            "http://localhost:6274",
            "http://localhost",
        ] {
            assert!(passes(&own, host, &[good]), "{good}");
        }
        for bad in [
            "null",
            "",
            "https://evil.example",
            "http://app.example.com",
            "https://app.example.com:444",
            "https://app.example.com.evil.example",
            "http://127.0.0.1:8081",
            "http://127.0.0.1",
            "https://127.0.0.1:8080",
            "http://localhost.evil.example:1",
            "https://app.example.com/",
            "https://x@app.example.com",
            "file://",
        ] {
            assert!(!passes(&own, host, &[bad]), "{bad}");
        }
        assert!(
            !passes(
                &own,
                host,
                &["https://app.example.com", "https://app.example.com"]
            ),
            "two origins"
        );
        // To a browser another origin, unless it is that of the very host.
        assert!(!passes(&own, host, &["https://app.example.com."]));
        let named = admitted("https://tools.example.com./mcp", &[], &[]);
        for host in ["tools.example.com", "tools.example.com."] {
            for origin in ["https://tools.example.com", "https://tools.example.com."] {
                assert!(passes(&named, &[host], &[origin]), "{host} {origin}");
            }
            assert!(
                !passes(&named, &[host], &["https://tools.example.com.."]),
                "{host}"
            );
        }
    }

    #[test]
    fn an_entry_that_cannot_be_read_lets_nobody_in() {
        let own = admitted(
            "http://127.0.0.1:8080/mcp",
            &["*", "http://x"],
            &["*", "null", "app.example.com"],
        );
        assert!(!passes(&own, &["x"], &[]) && !passes(&own, &["*"], &[]));
        assert!(!passes(&own, &["127.0.0.1:8080"], &["null"]));
    }
}
