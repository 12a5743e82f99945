use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};

use crate::coding::decode_body;
use crate::fetch::{USER_AGENT, read_whole};
use crate::{
    AddressPolicy, ClientKey, Destination, HostNameError, NetError, NetErrorKind, Network,
    RequestBody, Timeouts, TlsIdentity,
};

/// One question of the host's own. What it holds may be secret.
pub struct OutboundRequest<'a> {
    /// Where to.
    pub destination: &'a Destination,
    /// On whose connections: the host's own, or a tenant's.
    pub key: ClientKey,
    /// Roots, and a certificate of the host's own, in the place of the public roots. Not used for
    /// `http`.
    pub tls: Option<&'a TlsIdentity>,
    /// The method.
    pub method: Method,
    /// `Authorization` and what else the destination asks for; `Accept`, `Accept-Encoding` and
    /// `User-Agent` are set.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The longest answer, in bytes.
    pub cap: usize,
    /// The whole answer is there by then, or it is an error.
    pub deadline: Instant,
}

impl fmt::Debug for OutboundRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundRequest")
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

/// An answer, whatever its status. What it holds may be secret.
#[derive(Clone)]
pub struct OutboundResponse {
    /// The status. A redirect is one like any other: it is not followed.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for OutboundResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundResponse")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Network {
    /// Asks once: addresses classified and pinned, no proxy, no redirect, a body that is capped.
    /// Nothing is sent a second time.
    ///
    /// # Errors
    /// The destination is not fit for secrets, or refused; there is no whole answer in time; it has
    /// a content encoding that cannot be decoded, or is longer than the cap.
    pub async fn ask(&self, question: OutboundRequest<'_>) -> Result<OutboundResponse, NetError> {
        let deadline = question.deadline;
        tokio::time::timeout_at(deadline.into(), self.ask_once(question))
            .await
            .map_err(|_| NetError::after_sending(NetErrorKind::Timeout))?
    }

    async fn ask_once(&self, question: OutboundRequest<'_>) -> Result<OutboundResponse, NetError> {
        let destination = question.destination;
        let url = &destination.url;
        if !destination.is_fit_for_secrets() {
            return Err(NetError::before_sending(NetErrorKind::Scheme));
        }
        let tls = match url.scheme() {
            "https" => question.tls.unwrap_or(&self.public),
            _ => &self.cleartext,
        };
        let client = self.client(question.key, tls)?;
        let refused = NetError::before_sending(NetErrorKind::Host(HostNameError::Missing));
        let host = url.host().ok_or(refused)?;
        let port = url.port_or_known_default().ok_or(refused)?;
        let policy = AddressPolicy {
            allow_loopback: destination.allow_loopback,
            allow_private: destination.allow_private,
        };
        let approved = self
            .resolve(&host, port, &policy, question.deadline)
            .await?;
        let mut request = Request::new(RequestBody::new(question.body));
        *request.method_mut() = question.method;
        *request.uri_mut() = url
            .as_str()
            .parse()
            .map_err(|_| NetError::before_sending(NetErrorKind::Mismatch))?;
        *request.headers_mut() = question.headers;
        let headers = request.headers_mut();
        for (name, value) in [
            (header::ACCEPT, "application/json"),
            (header::ACCEPT_ENCODING, "identity"),
            (header::USER_AGENT, USER_AGENT),
        ] {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        let timeouts = Timeouts::from_deadline(question.deadline);
        let (head, body) = client
            .send(request, &approved, timeouts)
            .await?
            .into_parts();
        let body = read_whole(body, question.cap).await?;
        Ok(OutboundResponse {
            status: head.status.as_u16(),
            body: decode_body(&head.headers, body, question.cap)?,
            headers: head.headers,
        })
    }
}
