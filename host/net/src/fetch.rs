use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use url::Url;

use crate::coding::decode_body;
use crate::error::kind_of;
use crate::{
    AddressPolicy, ClientKey, ConnectionReuse, NetError, NetErrorKind, Network, RequestBody,
    ResponseBody, Timeouts, TlsIdentity,
};

/// Says who asks, and no version: an issuer has no use for it.
pub(crate) const USER_AGENT: &str = "toolhost";

impl Network {
    /// A small document that the host itself needs: a key set, a discovery document. All of it, or
    /// an error.
    ///
    /// `cap` is in bytes. `http` needs `allow_http`. The public roots are trusted, and no others.
    ///
    /// # Errors
    /// The URL is not acceptable, the host is refused, the answer is anything but 200 (a redirect
    /// is not followed), has a content encoding that cannot be decoded, or is longer than `cap`, as
    /// it comes or decoded.
    pub async fn fetch(
        &self,
        url: &Url,
        cap: usize,
        deadline: Instant,
        policy: &AddressPolicy,
        allow_http: bool,
    ) -> Result<Bytes, NetError> {
        let tls = match url.scheme() {
            "https" => &self.public,
            "http" if allow_http => &self.cleartext,
            _ => return Err(NetError::before_sending(NetErrorKind::Scheme)),
        };
        self.fetch_trusting(tls, url, cap, deadline, policy).await
    }

    /// [`Network::fetch`] with roots of the caller's choice; a cleartext identity permits `http`,
    /// and only that.
    ///
    /// # Errors
    /// As [`Network::fetch`].
    pub async fn fetch_trusting(
        &self,
        tls: &TlsIdentity,
        url: &Url,
        cap: usize,
        deadline: Instant,
        policy: &AddressPolicy,
    ) -> Result<Bytes, NetError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NetError::before_sending(NetErrorKind::UserInfo));
        }
        let client = self.client(ClientKey::host("fetch", url), tls)?;
        let host = url
            .host()
            .ok_or(NetError::before_sending(NetErrorKind::Host(
                crate::HostNameError::Missing,
            )))?;
        let port = url
            .port_or_known_default()
            .ok_or(NetError::before_sending(NetErrorKind::Scheme))?;
        let approved = self.resolve(&host, port, policy, deadline).await?;
        let timeouts = Timeouts::from_deadline(deadline);
        let response = match client.send(get(url)?, &approved, timeouts).await {
            Err(error) if error.stale => {
                client
                    .send_via(ConnectionReuse::New, get(url)?, &approved, timeouts)
                    .await?
            }
            response => response?,
        };
        check_head(&response, cap)?;
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout_at(deadline.into(), read_whole(body, cap))
            .await
            .map_err(|_| NetError::after_sending(NetErrorKind::Timeout))??;
        decode_body(&head.headers, body, cap).map_err(NetError::from)
    }
}

fn get(url: &Url) -> Result<Request<RequestBody>, NetError> {
    let mut url = url.clone();
    url.set_fragment(None);
    Request::get(url.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, USER_AGENT)
        .body(RequestBody::default())
        .map_err(|_| NetError::before_sending(NetErrorKind::Mismatch))
}

fn check_head(response: &Response<ResponseBody>, cap: usize) -> Result<(), NetError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(NetError::after_sending(NetErrorKind::Redirect(
            status.as_u16(),
        )));
    }
    if status != http::StatusCode::OK {
        return Err(NetError::after_sending(NetErrorKind::Status(
            status.as_u16(),
        )));
    }
    if response.body().size_hint().lower() > cap as u64 {
        return Err(NetError::after_sending(NetErrorKind::TooLong(cap)));
    }
    Ok(())
}

pub(crate) async fn read_whole(mut body: ResponseBody, cap: usize) -> Result<Bytes, NetError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| NetError::after_sending(kind_of(&error)))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > cap.saturating_sub(whole.len()) {
            return Err(NetError::after_sending(NetErrorKind::TooLong(cap)));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
