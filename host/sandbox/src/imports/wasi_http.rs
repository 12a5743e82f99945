use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use toolhost_egress::{BodyStream, Egress, EgressCall, EgressCode, EgressFailure};
use toolhost_policy::Limits;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, Result, WasiBody,
    WasiHttpHooks,
};

/// The longest URL a guest may write.
const MAX_URL: usize = 8 << 10;

/// What standard `wasi:http/outgoing-handler` meets: the same way out as our own import. The
/// absolute URL of the guest is matched to exactly one granted connection and endpoint, and the
/// request is built anew from that match; nothing of the guest's own request line reaches the wire.
pub(crate) struct EgressHooks {
    reach: Option<(Arc<Egress>, Arc<EgressCall>)>,
    request_bytes: usize,
}

impl EgressHooks {
    pub(crate) fn new(reach: Option<(Arc<Egress>, Arc<EgressCall>)>, limits: &Limits) -> Self {
        Self {
            reach,
            request_bytes: usize::try_from(limits.request_bytes).unwrap_or(usize::MAX),
        }
    }
}

type IoFuture = Box<dyn Future<Output = Result<()>> + Send>;

impl WasiHttpHooks for EgressHooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        // Trailers ask this filter only (GHSA-jxcf-8qw5-5c33), and so do fields as a guest sets
        // them.
        Arc::new(|name| {
            DEFAULT_FORBIDDEN_HEADERS.contains(name)
                || matches!(
                    *name,
                    http::header::AUTHORIZATION | http::header::COOKIE | http::header::SET_COOKIE
                )
        })
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _processed: IoFuture,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, IoFuture)>> + Send> {
        let (reach, max) = (self.reach.clone(), self.request_bytes);
        Box::new(async move {
            let Some((egress, call)) = reach else {
                return Err(Error::HttpRequestDenied);
            };
            send(egress, call, request, max).await
        })
    }
}

async fn send(
    egress: Arc<Egress>,
    call: Arc<EgressCall>,
    request: http::Request<WasiBody>,
    max: usize,
) -> Result<(http::Response<WasiBody>, IoFuture)> {
    let (parts, body) = request.into_parts();
    let text = parts.uri.to_string();
    if text.len() > MAX_URL {
        return Err(Error::HttpRequestUriTooLong);
    }
    let url = url::Url::parse(&text).map_err(|_| Error::HttpRequestUriInvalid)?;
    let mut headers = Vec::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        // wasmtime has written it, from the URL that is matched below.
        if *name == http::header::HOST {
            continue;
        }
        let value = value.to_str().map_err(|_| Error::HttpRequestDenied)?;
        headers.push((name.as_str().to_owned(), value.to_owned()));
    }
    let body = collect(body, max).await?;
    let request = Egress::resolve_absolute(&call, parts.method.as_str(), &url, headers, body)
        .map_err(|failure| error_of(&failure))?;
    let exchange = egress
        .start(call, request)
        .await
        .map_err(|failure| error_of(&failure))?;
    let mut response = http::Response::builder().status(exchange.head.status);
    for (name, value) in &exchange.head.headers {
        response = response.header(name, value);
    }
    let response = response
        .body(response_body(exchange.body))
        .map_err(|error| Error::InternalError(Some(error.to_string())))?;
    Ok((response, Box::new(async { Ok(()) })))
}

async fn collect(body: WasiBody, max: usize) -> Result<Option<Bytes>> {
    let mut collected = BytesMut::new();
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        // Trailers of a request have no use here and are dropped with a refusal, not in silence.
        let data = frame?
            .into_data()
            .map_err(|_| Error::HttpRequestTrailerSectionSize(Some(0)))?;
        if collected.len().saturating_add(data.len()) > max {
            return Err(Error::HttpRequestBodySize(Some(max as u64)));
        }
        collected.extend_from_slice(&data);
    }
    Ok(if collected.is_empty() {
        None
    } else {
        Some(collected.freeze())
    })
}

fn error_of(failure: &EgressFailure) -> Error {
    match failure.code {
        EgressCode::Denied | EgressCode::NotConnected | EgressCode::InvalidRequest => {
            Error::HttpRequestDenied
        }
        EgressCode::Limit => Error::ConnectionLimitReached,
        EgressCode::Timeout => Error::ConnectionTimeout,
        EgressCode::Reflected => Error::HttpResponseBodySize(None),
        _ => Error::DestinationUnavailable,
    }
}

/// The scrubbed stream as a body.
fn response_body(body: BodyStream) -> WasiBody {
    let frames = futures::stream::unfold(body, async |mut body| {
        let next = body.next().await?;
        Some((
            next.map(Frame::data).map_err(|failure| error_of(&failure)),
            body,
        ))
    });
    StreamBody::new(frames).boxed_unsync()
}
