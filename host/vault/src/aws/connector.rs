use std::sync::Arc;

use aws_sdk_secretsmanager::config::RuntimeComponents;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use toolhost_net::Network;
use url::Url;

use crate::CredentialError;
use crate::provider_endpoint::{ProviderEndpoint, ProviderRequest};

/// The SDK's way out: the host's own network, and one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Connector(Arc<ConnectorInner>);

#[derive(Debug)]
struct ConnectorInner {
    place: ProviderEndpoint,
    network: Arc<Network>,
}

impl Connector {
    pub(super) fn new(place: ProviderEndpoint, network: Arc<Network>) -> Self {
        Self(Arc::new(ConnectorInner { place, network }))
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let way = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { way.send(request).await })
    }
}

impl ConnectorInner {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let other = |why: &'static str| ConnectorError::other(CredentialError::Unavailable(why).into(), None);
        let url = Url::parse(request.uri()).map_err(|_| other("the SDK made no URL"))?;
        if url.origin() != self.place.destination.url.origin() {
            return Err(other("the SDK meant another place than the configured one"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers() {
            // The network writes its own.
            if matches!(name, "host" | "content-length" | "user-agent") {
                continue;
            }
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| other("the SDK made no header"))?;
            let value = HeaderValue::from_str(value).map_err(|_| other("the SDK made no header"))?;
            headers.insert(name, value);
        }
        let method =
            Method::from_bytes(request.method().as_bytes()).map_err(|_| other("the SDK made no method"))?;
        let body = request
            .body()
            .bytes()
            .ok_or_else(|| other("the SDK made a body without end"))?;
        let mut at = self.place.destination.clone();
        at.url = url;
        let asked = ProviderRequest {
            at: Some(at),
            method,
            headers,
            body: Bytes::copy_from_slice(body),
        };
        let answer = self.place.ask(&self.network, None, asked).await;
        let answer = answer.map_err(|error| ConnectorError::io(error.into()))?;
        let mut response = http::Response::new(SdkBody::from(answer.body));
        *response.status_mut() =
            http::StatusCode::from_u16(answer.status).map_err(|_| other("the answer has no status"))?;
        *response.headers_mut() = answer.headers;
        HttpResponse::try_from(response).map_err(|_| other("the answer is not one that the SDK reads"))
    }
}
