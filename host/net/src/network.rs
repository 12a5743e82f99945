use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use url::Host;

use crate::host::check_domain;
use crate::sockets::{DEFAULT_SOCKETS, Sockets};
use crate::{
    AddressClass, AddressPolicy, ApprovedAddresses, Client, ClientKey, Lookup, NetError,
    NetErrorKind, SystemLookup, TlsIdentity, classify,
};

/// Clients kept, the least recently used going first: tenants times connections in use. Each is a
/// few kilobytes and its idle sockets.
const MAX_CLIENTS: u64 = 1_024;

/// A client without a request for this long is dropped, with its idle connections.
const IDLE_CLIENT: Duration = Duration::from_secs(300);

/// All name servers together have this long, and never longer than the call.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The way out: one a process. Cheap to share behind an [`Arc`].
#[derive(Debug)]
pub struct Network {
    lookup: Arc<dyn Lookup>,
    clients: Cache<(ClientKey, u64), Arc<Client>>,
    sockets: Arc<Sockets>,
    pub(crate) public: TlsIdentity,
    pub(crate) cleartext: TlsIdentity,
}

impl Network {
    /// With a resolver of the caller's choice.
    ///
    /// # Errors
    /// TLS could not be set up.
    pub fn new(lookup: Arc<dyn Lookup>) -> Result<Self, crate::TlsError> {
        let clients = Cache::builder()
            .max_capacity(MAX_CLIENTS)
            .time_to_idle(IDLE_CLIENT)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Ok(Self {
            lookup,
            clients,
            sockets: Sockets::new(DEFAULT_SOCKETS),
            public: TlsIdentity::public()?,
            cleartext: TlsIdentity::cleartext()?,
        })
    }

    /// This network with at most so many sockets to outside systems, idle ones included: fewer than
    /// the files that the process may open. Never more than 4,096. A tenant has at most half of
    /// them.
    #[must_use]
    pub fn with_sockets(self, most: usize) -> Self {
        Self {
            sockets: Sockets::new(most.min(DEFAULT_SOCKETS)),
            ..self
        }
    }

    /// With the system's name servers.
    ///
    /// # Errors
    /// TLS could not be set up.
    pub fn system() -> Result<Self, crate::TlsError> {
        Self::new(Arc::new(SystemLookup::new()))
    }

    /// Looks a host up once and classifies every answer. One that the policy does not accept
    /// refuses them all: a name server that mixes a public and an internal address is either broken
    /// or hostile.
    ///
    /// # Errors
    /// The host is refused by name, has no address, has one that the policy refuses, or was not
    /// answered for in time. Nothing was sent.
    pub async fn resolve(
        &self,
        host: &Host<&str>,
        port: u16,
        policy: &AddressPolicy,
        deadline: Instant,
    ) -> Result<ApprovedAddresses, NetError> {
        let addresses = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => {
                check_domain(name).map_err(|refused| NetError::before_sending(refused.into()))?;
                self.look_up(name, deadline).await?
            }
        };
        if addresses.is_empty() {
            return Err(NetError::before_sending(NetErrorKind::NoAddress));
        }
        let mut approved = Vec::with_capacity(addresses.len());
        for address in addresses {
            policy
                .permits(address)
                .map_err(|refused| NetError::before_sending(refused.into()))?;
            approved.push(SocketAddr::new(address.to_canonical(), port));
        }
        let name = match host {
            Host::Domain(name) => Arc::from(*name),
            Host::Ipv4(address) => address.to_string().into(),
            Host::Ipv6(address) => address.to_string().into(),
        };
        Ok(ApprovedAddresses::new(name, port, approved))
    }

    /// The addresses of a host, each with its class: for an operator who asks, and never for a
    /// request, which takes [`Network::resolve`].
    ///
    /// # Errors
    /// The host is refused by name, or was not answered for in time.
    pub async fn look_at(
        &self,
        host: &Host<&str>,
        deadline: Instant,
    ) -> Result<Vec<(IpAddr, AddressClass)>, NetError> {
        let addresses = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => {
                check_domain(name).map_err(|refused| NetError::before_sending(refused.into()))?;
                self.look_up(name, deadline).await?
            }
        };
        Ok(addresses
            .into_iter()
            .map(|address| (address, classify(address)))
            .collect())
    }

    async fn look_up(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, NetError> {
        let end = Instant::now()
            .checked_add(LOOKUP_TIMEOUT)
            .unwrap_or(deadline)
            .min(deadline);
        tokio::time::timeout_at(end.into(), self.lookup.lookup(name))
            .await
            .map_err(|_| NetError::before_sending(NetErrorKind::Lookup))?
            .map_err(|error| NetError {
                sent: false,
                ..error
            })
    }

    /// The client of a key and a TLS identity, made where there is none yet.
    ///
    /// # Errors
    /// The key's URL is `https` and the identity cleartext, or the other way round; or its host is
    /// none.
    pub fn client(&self, key: ClientKey, tls: &TlsIdentity) -> Result<Arc<Client>, NetError> {
        let key = (key, tls.id());
        if let Some(client) = self.clients.get(&key) {
            return Ok(client);
        }
        let client = Arc::new(Client::new(key.0.clone(), tls, Arc::clone(&self.sockets))?);
        // Two that come at once must not keep two pools.
        Ok(self.clients.get_with(key, || client))
    }
}
