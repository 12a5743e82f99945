//! A question of the host's own goes where the operator said, and the whole answer comes back, or
//! nothing.

use crate::upstream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;
use toolhost_net::{
    ClientKey, Destination, NetError, NetErrorKind, Network, OutboundRequest, OutboundResponse,
    TlsError, TlsIdentity,
};
use upstream::{Answers, Upstream, answer_all, network};
use url::Url;

async fn ask(
    network: &Network,
    url: &Url,
    tls: Option<&TlsIdentity>,
    change: impl FnOnce(&mut Destination),
) -> Result<OutboundResponse, NetError> {
    let mut destination = Destination {
        allow_http: true,
        allow_loopback: true,
        ..Destination::new(url.clone())
    };
    change(&mut destination);
    let question = OutboundRequest {
        key: ClientKey::host("test", url),
        destination: &destination,
        tls,
        method: Method::POST,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        cap: 10,
        deadline: Instant::now() + Duration::from_millis(500),
    };
    network.ask(question).await
}

#[tokio::test]
async fn an_answer_comes_with_its_status_and_no_redirect_is_followed() {
    let elsewhere = Upstream::answering(upstream::OK).await;
    for (answer, status) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"[..],
            200,
        ),
        (
            b"HTTP/1.1 307 x\r\nlocation: /again\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            307,
        ),
        (
            b"HTTP/1.1 404 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            404,
        ),
    ] {
        let upstream = Upstream::answering(answer).await;
        let got = ask(&network(), &upstream.url(), None, |_| {})
            .await
            .unwrap();
        assert_eq!((got.status, upstream.heads().len()), (status, 1));
        let head = &upstream.heads()[0];
        assert!(
            head.starts_with("POST / HTTP/1.1\r\n")
                && head.contains("accept-encoding: identity\r\n"),
            "{head}"
        );
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn what_is_too_long_too_late_or_encoded_is_no_answer() {
    for (answer, kind) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n01234567890"[..],
            NetErrorKind::TooLong(10),
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\nhi",
            NetErrorKind::Encoding(toolhost_net::CodingError::Broken),
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi",
            NetErrorKind::Timeout,
        ),
    ] {
        let upstream = Upstream::answering(answer).await;
        let refused = ask(&network(), &upstream.url(), None, |_| {}).await.unwrap_err();
        assert_eq!(refused.kind, kind);
    }
}

#[tokio::test]
async fn a_place_that_nobody_allowed_hears_nothing() {
    let upstream = Upstream::answering(upstream::OK).await;
    let url = upstream.url();
    let attacks: [fn(&mut Destination); 4] = [
        |destination| destination.allow_http = false,
        |destination| destination.allow_loopback = false,
        |destination| destination.url.set_username("u").unwrap(),
        |destination| destination.url.set_password(Some("p")).unwrap(),
    ];
    for change in attacks {
        let refused = ask(&network(), &url, None, change).await.unwrap_err();
        assert!(!refused.sent, "{refused}");
    }
    assert_eq!(upstream.connections(), 0);
    let metadata: Url = "http://169.254.169.254/latest".parse().unwrap();
    let refused = ask(&network(), &metadata, None, |_| {}).await.unwrap_err();
    assert!(matches!(refused.kind, NetErrorKind::Address(_)));
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certificate(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A server that takes no client without a certificate of this authority.
async fn mutual(authority: &Authority) -> Upstream {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let (certificate, key) = authority.certificate("broker.example.com");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Upstream::doing("127.0.0.1:0", move |stream, heads| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer_all(stream, heads).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_certificate_of_the_hosts_own_opens_what_asks_for_one() {
    let authority = Authority::new();
    let upstream = mutual(&authority).await;
    let network = Network::new(Answers::new(&[&["127.0.0.1"]])).unwrap();
    let url: Url = format!("https://broker.example.com:{}/", upstream.address.port())
        .parse()
        .unwrap();
    let (certificate, key) = authority.certificate("toolhost");
    let roots = authority.0.pem();
    let own = TlsIdentity::mutual(
        Some(roots.as_bytes()),
        certificate.pem().as_bytes(),
        key.serialize_pem().as_bytes(),
    )
    .unwrap();
    let got = ask(&network, &url, Some(&own), |_| {}).await.unwrap();
    assert_eq!(got.status, 200);
    let nobody = TlsIdentity::private(roots.as_bytes()).unwrap();
    assert!(ask(&network, &url, Some(&nobody), |_| {}).await.is_err());
    assert!(
        ask(&network, &url, None, |_| {}).await.is_err(),
        "and the public roots do not have it"
    );
    assert_eq!(upstream.heads().len(), 1);
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let authority = Authority::new();
    let ((certificate, key), (_, other)) = (authority.certificate("a"), authority.certificate("b"));
    let chain = certificate.pem();
    let make = |chain: &str, key: &str| {
        TlsIdentity::mutual(None, chain.as_bytes(), key.as_bytes()).map(|_| ())
    };
    assert_eq!(make(&chain, &key.serialize_pem()), Ok(()));
    assert_eq!(make(&chain, &other.serialize_pem()), Err(TlsError::Key));
    assert_eq!(make(&chain, "x"), Err(TlsError::Key));
    assert_eq!(make("x", &key.serialize_pem()), Err(TlsError::Empty));
}
