//! Where bytes may go: DNS, address classes, pinning, TLS.
//!
//! This crate decides which addresses a connection outward may reach, and makes that connection and
//! no other. Every request that a guest or a token causes goes through it. What must never happen
//! here: a connection to an address that was not classified for this very request; a proxy, a
//! redirect, or a certificate that is not checked; one tenant's connection used for another; text
//! of an upstream in an error.
//!
//! # Tour
//!
//! - [`classify`], [`AddressClass`]: what kind of address it is, by the IANA special-purpose
//!   registries.
//! - [`AddressPolicy`]: which kinds a connection accepts.
//! - [`Lookup`], [`SystemLookup`]: names to addresses.
//! - [`Network::resolve`], [`ApprovedAddresses`]: one lookup, every answer classified, and the
//!   proof of it.
//! - [`TlsIdentity`]: which roots a connection trusts.
//! - [`Network::client`], [`ClientKey`], [`Client::send`]: pooled connections, one pool a key, to
//!   approved addresses.
//! - [`Network::fetch`]: a small document (JWKS, discovery), whole or not at all.
//! - [`Destination`], [`Network::ask`]: a question of the host's own, with its secret, and the
//!   whole answer.
//! - [`AdmissionQueue`], [`SingleFlight`]: how many questions of the host's own may be under way at
//!   once, and whose is next.
//! - [`NetError`]: what went wrong, and whether bytes may have left.
//! - [`Decoder`]: content codings that come although none was asked for.

mod admission;
mod approved_addresses;
mod class;
mod client;
mod coding;
mod connect_failure;
mod connector;
mod destination;
mod error;
mod fetch;
mod first_byte;
mod flow;
mod host;
mod key;
mod lookup;
mod network;
mod outbound;
mod policy;
mod response_body;
mod single_flight;
mod sockets;
mod tls;
mod url_check;

pub use admission::{AdmissionLimits, AdmissionPermit, AdmissionQueue, OverloadError};
pub use approved_addresses::ApprovedAddresses;
pub use class::{AddressClass, classify};
pub use client::{
    Client, ConnectionReuse, FIRST_BYTE_TIMEOUT, RemoteAddress, RequestBody, Timeouts,
};
pub use coding::{CodingError, Decoder, decode_body};
pub use connector::CONNECT_TIMEOUT;
pub use destination::Destination;
pub use error::{NetError, NetErrorKind, TlsFailure};
pub use host::HostNameError;
pub use key::ClientKey;
pub use lookup::{Lookup, SystemLookup};
pub use network::Network;
pub use outbound::{OutboundRequest, OutboundResponse};
pub use policy::{AddressError, AddressPolicy};
pub use response_body::ResponseBody;
pub use single_flight::SingleFlight;
pub use tls::{TlsError, TlsIdentity};
pub use url_check::{UrlError, check_url};
