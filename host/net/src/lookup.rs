use std::net::IpAddr;
use std::time::Duration;

use futures::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};

use crate::{NetError, NetErrorKind};

/// Names kept. One entry is a name and a record type; a host has tens of connections, not
/// thousands.
const CACHE_ENTRIES: u64 = 2_048;

/// A record that says "do not keep me" is kept this long, so that a burst of calls costs one query.
/// An answer that changes in between was classified as well: it cannot become wider by being kept.
const MIN_TTL: Duration = Duration::from_secs(2);

/// And no record is kept longer, so that an address which an operator withdrew is soon forgotten.
const MAX_TTL: Duration = Duration::from_secs(300);

/// A name that does not exist is asked for again after this.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(5);

/// One query to one name server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Names to addresses. A trait, so that a test can answer as a hostile name server does.
pub trait Lookup: Send + Sync + std::fmt::Debug {
    /// All IPv4 and IPv6 addresses of a host name, unclassified.
    ///
    /// # Errors
    /// The name has no address, or no name server answered.
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NetError>>;
}

/// The system's name servers and hosts file, read once when it is made, and a cache that keeps to
/// the records' TTL.
///
/// A name is always taken as absolute: the search domains of `resolv.conf` are not tried, so that
/// nobody who controls one of them can answer for `api.example.com`.
#[derive(Debug)]
pub struct SystemLookup {
    resolver: Option<TokioResolver>,
}

impl SystemLookup {
    /// Reads the system's configuration. Where there is none, every lookup of a name fails, and
    /// addresses still work.
    #[must_use]
    pub fn new() -> Self {
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            options.use_hosts_file = ResolveHosts::Always;
            options.cache_size = CACHE_ENTRIES;
            options.timeout = QUERY_TIMEOUT;
            options.positive_min_ttl = Some(MIN_TTL);
            options.positive_max_ttl = Some(MAX_TTL);
            options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
            builder.build()
        });
        match built {
            Ok(resolver) => Self {
                resolver: Some(resolver),
            },
            Err(error) => {
                tracing::warn!(%error, "no name servers: only addresses can be reached");
                Self { resolver: None }
            }
        }
    }
}

impl Default for SystemLookup {
    fn default() -> Self {
        Self::new()
    }
}

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NetError>> {
        Box::pin(async move {
            let resolver = self
                .resolver
                .as_ref()
                .ok_or_else(|| NetError::before_sending(NetErrorKind::NoNameServers))?;
            let answer = resolver
                .lookup_ip(format!("{host}."))
                .await
                .map_err(|error| {
                    tracing::debug!(host, %error, "lookup failed");
                    NetError::before_sending(if error.is_no_records_found() {
                        NetErrorKind::NoAddress
                    } else {
                        NetErrorKind::Lookup
                    })
                })?;
            Ok(answer.iter().collect())
        })
    }
}
