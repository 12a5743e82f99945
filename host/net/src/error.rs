use std::error::Error;
use std::io;

use crate::coding::CodingError;
use crate::connect_failure::ConnectFailure;
use crate::{AddressError, HostNameError};

/// Why a certificate, or the talk before it, was not acceptable. A closed list: a server's own
/// words never reach an error, because a hostile one would speak through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// `notAfter` has passed.
    #[error("its certificate has expired")]
    Expired,
    /// `notBefore` has not come.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// For another host.
    #[error("its certificate is for another host")]
    WrongName,
    /// Self-signed, or by an authority that is not trusted.
    #[error("its certificate is not from a trusted authority; `ca` names a private one")]
    UnknownIssuer,
    /// Any other fault of the certificate.
    #[error("its certificate is not acceptable")]
    Certificate,
    /// No common version or cipher suite, a broken record, or not TLS at all.
    #[error("the TLS handshake failed")]
    Handshake,
}

/// What went wrong on the way. No kind carries text that came from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetErrorKind {
    /// The host is refused before it is looked up.
    #[error(transparent)]
    Host(#[from] HostNameError),
    /// An address of the host is refused.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The host has no address.
    #[error("the host has no address")]
    NoAddress,
    /// No name server answered.
    #[error("the host could not be looked up")]
    Lookup,
    /// The machine has no name servers configured.
    #[error("no name servers are configured on this machine")]
    NoNameServers,
    /// Nothing listens, or no way leads there.
    #[error("could not connect ({0})")]
    Connect(io::ErrorKind),
    /// Neither TCP nor TLS came about in time.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The tenant has as many connections outward as it may have, or all together have.
    #[error("too many connections to outside systems are open; try again")]
    Sockets,
    /// The socket's other end is not the address that was approved.
    #[error("the connection leads to another address than the approved one")]
    Peer,
    /// TLS did not come about.
    #[error("{0}")]
    Tls(TlsFailure),
    /// The head of the answer did not come in time.
    #[error("the answer did not begin in time")]
    Timeout,
    /// The other side sends without end what is no part of an answer: interim answers, frames that
    /// keep a connection going.
    #[error("the other side sends more than its answers")]
    Flood,
    /// The connection ended before the answer did.
    #[error("the connection was closed before the answer was complete")]
    Closed,
    /// The answer is not HTTP.
    #[error("the answer is not valid HTTP")]
    Protocol,
    /// The answer, or the request, tries to leave HTTP: 101, `Upgrade`, CONNECT (RFC 9110 sections
    /// 7.8 and 9.3.6).
    #[error("switching protocols is not allowed")]
    Upgrade,
    /// The request's scheme, host or port is not what the client or the approval is for.
    #[error("the request is for another place than the one that was approved")]
    Mismatch,
    /// `http://` where nobody allowed it, or another scheme altogether.
    #[error("only https is allowed here; `allow_http` permits http")]
    Scheme,
    /// A user name or password in a URL.
    #[error("a URL with a user name or a password is refused")]
    UserInfo,
    /// Another status than 200, for [`crate::Network::fetch`].
    #[error("the answer has status {0}")]
    Status(u16),
    /// A redirect, for [`crate::Network::fetch`]. None is ever followed.
    #[error("the answer is a redirect (status {0}), and redirects are not followed")]
    Redirect(u16),
    /// The body is longer than the cap.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The body is compressed although that was ruled out, and cannot be decoded.
    #[error("{0}")]
    Encoding(CodingError),
}

/// Why a request failed, and whether bytes of it may have left this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct NetError {
    /// What went wrong.
    pub kind: NetErrorKind,
    /// Whether the other side may have seen the request. `false` is certain; `true` is not.
    pub sent: bool,
    /// A connection that had answered before was closed before any answer to this request: the
    /// other side had most likely ended it already. An idempotent request may be sent once more
    /// (RFC 9110 section 9.2.2).
    pub stale: bool,
}

impl NetError {
    pub(crate) const fn before_sending(kind: NetErrorKind) -> Self {
        Self {
            kind,
            sent: false,
            stale: false,
        }
    }

    pub(crate) const fn after_sending(kind: NetErrorKind) -> Self {
        Self {
            kind,
            sent: true,
            stale: false,
        }
    }
}

impl From<CodingError> for NetError {
    fn from(error: CodingError) -> Self {
        Self::after_sending(match error {
            CodingError::TooLong(cap) => NetErrorKind::TooLong(cap),
            other => NetErrorKind::Encoding(other),
        })
    }
}

/// Finds the cause in the chain of a failed request.
///
/// `io::Error::source` skips the error that it wraps, so each one is opened by hand.
pub(crate) fn kind_of(error: &(dyn Error + 'static)) -> NetErrorKind {
    let mut next = Some(error);
    let mut kind = NetErrorKind::Protocol;
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref::<ConnectFailure>() {
            return failure.kind();
        }
        if let Some(failure) = error.downcast_ref::<rustls::Error>() {
            return NetErrorKind::Tls(tls_failure(failure));
        }
        let hyper = error.downcast_ref::<hyper::Error>();
        if hyper.is_some_and(|error| {
            error.is_incomplete_message() || error.is_closed() || error.is_canceled()
        }) {
            kind = NetErrorKind::Closed;
        }
        next = match error.downcast_ref::<io::Error>() {
            Some(io) => {
                if !matches!(io.kind(), io::ErrorKind::Other | io::ErrorKind::InvalidData) {
                    kind = NetErrorKind::Closed;
                }
                io.get_ref().map(|inner| inner as &(dyn Error + 'static))
            }
            None => error.source(),
        };
    }
    kind
}

fn tls_failure(error: &rustls::Error) -> TlsFailure {
    use rustls::CertificateError as Fault;
    let rustls::Error::InvalidCertificate(fault) = error else {
        return TlsFailure::Handshake;
    };
    match fault {
        Fault::Expired | Fault::ExpiredContext { .. } => TlsFailure::Expired,
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => TlsFailure::NotYetValid,
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => TlsFailure::WrongName,
        Fault::UnknownIssuer => TlsFailure::UnknownIssuer,
        _ => TlsFailure::Certificate,
    }
}
