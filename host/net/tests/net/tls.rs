//! TLS has no second-best: a certificate that does not prove the host ends the request before its
//! first byte (T47).

use crate::upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use toolhost_net::{ClientKey, NetError, NetErrorKind, Network, TlsError, TlsFailure, TlsIdentity};
use upstream::{Answers, OK, Upstream, answer_all, read_head, round, soon};
use url::Url;

const HOST: &str = "api.example.com";

/// Authorities have names of their own, as in the world.
static NEXT: AtomicU32 = AtomicU32::new(0);

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(
            DnType::CommonName,
            format!("authority {}", NEXT.fetch_add(1, Ordering::Relaxed)),
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn identity(&self) -> TlsIdentity {
        TlsIdentity::private(self.0.pem().as_bytes()).unwrap()
    }

    fn acceptor(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        acceptor(certificate.der().clone(), &key, &[])
    }
}

fn acceptor(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: &KeyPair,
    alpn: &[&[u8]],
) -> TlsAcceptor {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![certificate],
        PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    )
    .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(acceptor: TlsAcceptor) -> Upstream {
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

async fn attempt(
    upstream: &Upstream,
    host: &str,
    identity: &TlsIdentity,
) -> Result<Vec<u8>, NetError> {
    let network = Network::new(Answers::new(&[&["127.0.0.1"]])).unwrap();
    let url: Url = format!("https://{host}:{}/", upstream.address.port())
        .parse()
        .unwrap();
    let client = network.client(ClientKey::tenant("acme", "billing", &url), identity)?;
    Ok(round(&network, &client, &url, soon())
        .await?
        .into_body()
        .to_vec())
}

#[tokio::test]
async fn a_certificate_of_the_connections_own_authority_is_accepted() {
    let authority = Authority::new();
    let upstream = serve(authority.acceptor(HOST, |_| ())).await;
    assert_eq!(
        attempt(&upstream, HOST, &authority.identity())
            .await
            .unwrap(),
        b"hi"
    );
    let by_address = serve(authority.acceptor("127.0.0.1", |_| ())).await;
    assert_eq!(
        attempt(&by_address, "127.0.0.1", &authority.identity())
            .await
            .unwrap(),
        b"hi"
    );
}

#[tokio::test]
async fn a_certificate_that_does_not_prove_the_host_ends_the_request_before_it_is_sent() {
    let authority = Authority::new();
    let own = authority.identity();
    let lone_key = KeyPair::generate().unwrap();
    let lone = CertificateParams::new(vec![HOST.to_owned()])
        .unwrap()
        .self_signed(&lone_key)
        .unwrap();
    let public = TlsIdentity::public().unwrap();
    for (name, acceptor, identity, failure) in [
        (
            "expired",
            authority.acceptor(HOST, |p| p.not_after = date_time_ymd(2001, 1, 1)),
            &own,
            TlsFailure::Expired,
        ),
        (
            "not yet valid",
            authority.acceptor(HOST, |p| p.not_before = date_time_ymd(2900, 1, 1)),
            &own,
            TlsFailure::NotYetValid,
        ),
        (
            "another host",
            authority.acceptor("api.example.net", |_| ()),
            &own,
            TlsFailure::WrongName,
        ),
        (
            "a parent",
            authority.acceptor("example.com", |_| ()),
            &own,
            TlsFailure::WrongName,
        ),
        (
            "self-signed",
            acceptor(lone.der().clone(), &lone_key, &[]),
            &own,
            TlsFailure::UnknownIssuer,
        ),
        (
            "another authority",
            Authority::new().acceptor(HOST, |_| ()),
            &own,
            TlsFailure::UnknownIssuer,
        ),
        (
            "not public",
            authority.acceptor(HOST, |_| ()),
            &public,
            TlsFailure::UnknownIssuer,
        ),
    ] {
        let upstream = serve(acceptor).await;
        let refused = attempt(&upstream, HOST, identity).await.unwrap_err();
        assert_eq!(
            (refused.kind, refused.sent),
            (NetErrorKind::Tls(failure), false),
            "{name}"
        );
        assert!(upstream.heads().is_empty(), "{name}");
        assert!(
            !refused.to_string().contains("example"),
            "{name}: {refused}"
        );
    }
}

#[tokio::test]
async fn https_never_becomes_http() {
    let authority = Authority::new();
    let plain = Upstream::doing("127.0.0.1:0", |mut stream, _| async move {
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
    })
    .await;
    let refused = attempt(&plain, HOST, &authority.identity())
        .await
        .unwrap_err();
    assert_eq!(
        (refused.kind, refused.sent),
        (NetErrorKind::Tls(TlsFailure::Handshake), false)
    );

    let upstream = serve(authority.acceptor(HOST, |_| ())).await;
    let refused = attempt(&upstream, HOST, &TlsIdentity::cleartext().unwrap())
        .await
        .unwrap_err();
    assert_eq!(refused.kind, NetErrorKind::Scheme);

    let network = upstream::network();
    let key = ClientKey::tenant("acme", "billing", &plain.url());
    assert_eq!(
        network.client(key, &authority.identity()).unwrap_err().kind,
        NetErrorKind::Scheme
    );
    assert!(plain.heads().is_empty() && upstream.heads().is_empty());
}

#[tokio::test]
async fn http2_is_spoken_where_both_sides_can_and_one_connection_carries_many_requests() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![HOST.to_owned()])
        .unwrap()
        .signed_by(&key, &authority.0)
        .unwrap();
    let acceptor = acceptor(certificate.der().clone(), &key, &[b"h2", b"http/1.1"]);
    let upstream = Upstream::doing("127.0.0.1:0", move |stream, heads| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                heads
                    .lock()
                    .unwrap()
                    .push(format!("{:?} {}", request.version(), request.uri()));
                async {
                    Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from(
                        "hi",
                    ))))
                }
            });
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await;
    let network = Network::new(Answers::new(&[&["127.0.0.1"]])).unwrap();
    let url: Url = format!("https://{HOST}:{}/", upstream.address.port())
        .parse()
        .unwrap();
    let client = network
        .client(
            ClientKey::tenant("acme", "billing", &url),
            &authority.identity(),
        )
        .unwrap();
    for _ in 0..3 {
        let response = round(&network, &client, &url, soon()).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert!(
            response
                .extensions()
                .get::<toolhost_net::RemoteAddress>()
                .is_some()
        );
    }
    assert_eq!((upstream.connections(), upstream.heads().len()), (1, 3));
}

/// TLS says goodbye in a record of its own, and sends tickets.
#[tokio::test]
async fn a_connection_that_is_closed_as_tls_has_it_is_stale_and_one_that_has_begun_to_answer_is_not()
 {
    for (last, is_stale) in [(&b""[..], true), (b"HTTP/1.1 200 OK\r\n", false)] {
        let authority = Authority::new();
        let acceptor = authority.acceptor(HOST, |_| {});
        let upstream = Upstream::doing("127.0.0.1:0", move |stream, _| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                read_head(&mut stream).await;
                stream.write_all(OK).await.unwrap();
                read_head(&mut stream).await;
                stream.write_all(last).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        })
        .await;
        let network = Network::new(Answers::new(&[&["127.0.0.1"]])).unwrap();
        let url: Url = format!("https://{HOST}:{}/", upstream.address.port())
            .parse()
            .unwrap();
        let key = ClientKey::tenant("acme", "billing", &url);
        let client = network.client(key, &authority.identity()).unwrap();
        round(&network, &client, &url, soon()).await.unwrap();
        let error = round(&network, &client, &url, soon()).await.unwrap_err();
        assert_eq!((error.stale, error.sent), (is_stale, true), "{error:?}");
        assert_eq!(upstream.connections(), 1);
    }
}

/// Frames of HTTP/2 that are no answer (RFC 9113 sections 6.3 to 6.10): each alone, without end.
#[tokio::test]
async fn frames_without_end_close_the_connection() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.0).unwrap();
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const PRIORITY: &[u8] = &[0, 0, 5, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1];
    const WINDOW_UPDATE: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    const UNKNOWN: &[u8] = &[0, 0, 0, 0x7f, 0, 0, 0, 0, 0];
    // `:status: 200` without END_STREAM, then DATA of nothing.
    const HEADERS: &[u8] = &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88];
    const EMPTY_DATA: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 1];
    // Nothing but padding, 11 bytes of it.
    const PADDING: &[u8] = &[
        0, 0, 12, 0, 8, 0, 0, 0, 1, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    // `:status: 103`.
    const EARLY_HINTS: &[u8] = &[0, 0, 5, 1, 4, 0, 0, 0, 1, 0x48, 3, b'1', b'0', b'3'];
    // HEADERS without END_HEADERS.
    const BEGUN: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x88];
    const CONTINUATION: &[u8] = &[0, 0, 0, 9, 0, 0, 0, 0, 1];
    const RST_STREAM: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
    // Stream 1 is still to be answered.
    const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    for (before, frame) in [
        (BEGUN as &[u8], CONTINUATION),
        (&[], EARLY_HINTS),
        (&[], RST_STREAM),
        (&[], GOAWAY),
        (HEADERS, PADDING),
        (&[], SETTINGS),
        (&[], PING),
        (&[], PRIORITY),
        (&[], WINDOW_UPDATE),
        (&[], UNKNOWN),
        (HEADERS, EMPTY_DATA),
    ] {
        let acceptor = acceptor(certificate.der().clone(), &key, &[b"h2"]);
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        let upstream = Upstream::doing("127.0.0.1:0", move |stream, _| {
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            async move {
                let (mut input, mut output) =
                    tokio::io::split(acceptor.accept(stream).await.unwrap());
                // What the client writes has to go somewhere, or it stops reading.
                tokio::spawn(
                    async move { tokio::io::copy(&mut input, &mut tokio::io::sink()).await },
                );
                output.write_all(SETTINGS).await.unwrap();
                // The request is stream 1; it was surely sent when this is.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                output.write_all(before).await.unwrap();
                let many = frame.repeat(500);
                while output.write_all(&many).await.is_ok() {
                    count.fetch_add(many.len() as u64, Ordering::Relaxed);
                }
            }
        })
        .await;
        let network = Network::new(Answers::new(&[&["127.0.0.1"]])).unwrap();
        let url: Url = format!("https://{HOST}:{}/", upstream.address.port())
            .parse()
            .unwrap();
        let key = ClientKey::tenant("acme", "billing", &url);
        let client = network.client(key, &authority.identity()).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let approved = network
            .resolve(
                &url.host().unwrap(),
                upstream.address.port(),
                &upstream::LOOPBACK,
                deadline,
            )
            .await
            .unwrap();
        let timeouts = toolhost_net::Timeouts {
            first_byte: std::time::Duration::from_secs(60),
            deadline,
        };
        match client.send(upstream::get(&url), &approved, timeouts).await {
            Ok(answer) => {
                use http_body_util::BodyExt as _;
                assert!(answer.into_body().collect().await.is_err(), "{frame:?}");
            }
            Err(error) => assert_ne!(error.kind, NetErrorKind::Timeout, "{frame:?}"),
        }
        assert!(std::time::Instant::now() < deadline, "{frame:?}");
        // What the sockets hold beside what was read.
        assert!(sent.load(Ordering::Relaxed) < 32 << 20, "{frame:?}");
        assert!(client.take_cpu() > std::time::Duration::ZERO);
    }
}

#[test]
fn roots_that_are_no_certificates_are_refused() {
    let refused = |pem: &[u8]| TlsIdentity::private(pem).unwrap_err();
    assert_eq!(refused(b""), TlsError::Empty);
    assert_eq!(refused(b"no pem at all"), TlsError::Empty);
    assert_eq!(
        refused(KeyPair::generate().unwrap().serialize_pem().as_bytes()),
        TlsError::Empty
    );
    assert_eq!(
        refused(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        TlsError::Certificate
    );
    assert_eq!(
        refused(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"),
        TlsError::Pem
    );
}
