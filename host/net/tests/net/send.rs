//! What a client sends where, what it makes of the answer, and what it says about a failure (T4,
//! T6, T44).

use crate::upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request, StatusCode, header};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use toolhost_net::{
    ClientKey, NetErrorKind, Network, RemoteAddress, RequestBody, Timeouts, TlsIdentity,
};
use upstream::{Answers, LOOPBACK, OK, Upstream, get, network, read_head, round, soon, whole};

/// Accepts, and never says a word.
async fn hold(_stream: TcpStream) {
    std::future::pending().await
}

fn cleartext() -> TlsIdentity {
    TlsIdentity::cleartext().unwrap()
}

#[tokio::test]
async fn requests_of_one_key_share_a_connection_and_carry_its_address() {
    let upstream = Upstream::answering(OK).await;
    let (network, tls, url) = (network(), cleartext(), upstream.url());
    for _ in 0..5 {
        let client = network
            .client(ClientKey::tenant("acme", "billing", &url), &tls)
            .unwrap();
        let response = round(&network, &client, &url, soon()).await.unwrap();
        assert_eq!(
            response.extensions().get(),
            Some(&RemoteAddress(upstream.address))
        );
        assert_eq!(&response.body()[..], b"hi");
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(upstream.heads().len(), 5);
}

#[tokio::test]
async fn no_two_keys_share_a_connection() {
    let upstream = Upstream::answering(OK).await;
    let (network, tls, other, url) = (network(), cleartext(), cleartext(), upstream.url());
    let keys = [
        (ClientKey::tenant("acme", "billing", &url), &tls),
        (ClientKey::tenant("globex", "billing", &url), &tls),
        (ClientKey::tenant("acme", "support", &url), &tls),
        (ClientKey::tenant("host", "billing", &url), &tls),
        (ClientKey::host("billing", &url), &tls),
        (ClientKey::tenant("acme", "billing", &url), &other),
    ];
    for (number, (key, tls)) in keys.into_iter().enumerate() {
        let client = network.client(key, tls).unwrap();
        round(&network, &client, &url, soon()).await.unwrap();
        round(&network, &client, &url, soon()).await.unwrap();
        assert_eq!(upstream.connections(), number + 1);
    }
}

/// Whatever a tenant keeps idle, its next connection finds a socket, and never more than its share
/// are open.
#[tokio::test]
async fn a_tenants_idle_connections_give_way_to_its_next_one() {
    let open = Arc::new(AtomicU64::new(0));
    let (network, tls) = (network().with_sockets(8), cleartext());
    for _ in 0..12 {
        let counted = Arc::clone(&open);
        let upstream = Upstream::doing("127.0.0.1:0", move |mut stream, _| {
            let open = Arc::clone(&counted);
            async move {
                open.fetch_add(1, Ordering::SeqCst);
                while read_head(&mut stream).await.is_some() {
                    stream.write_all(OK).await.unwrap();
                }
                open.fetch_sub(1, Ordering::SeqCst);
            }
        })
        .await;
        let url = upstream.url();
        let client = network
            .client(ClientKey::tenant("acme", "billing", &url), &tls)
            .unwrap();
        round(&network, &client, &url, soon()).await.unwrap();
    }
    let until = Instant::now() + Duration::from_secs(20);
    while open.load(Ordering::SeqCst) > 4 {
        assert!(Instant::now() < until, "{open:?} connections are open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// T4: an idle connection to an address that the name no longer has is not used.
#[tokio::test]
async fn a_kept_connection_is_not_used_when_the_addresses_have_changed() {
    let first = Upstream::at("127.0.0.1:0", OK).await;
    let second = Upstream::at(&format!("127.0.0.2:{}", first.address.port()), OK).await;
    let network = Network::new(Answers::new(&[
        &["127.0.0.1"],
        &["127.0.0.1"],
        &["127.0.0.2"],
    ]))
    .unwrap();
    let url = format!("http://api.example.com:{}/", first.address.port())
        .parse()
        .unwrap();
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    for _ in 0..3 {
        round(&network, &client, &url, soon()).await.unwrap();
    }
    assert_eq!((first.connections(), first.heads().len()), (1, 2));
    assert_eq!((second.connections(), second.heads().len()), (1, 1));
}

/// T4: the name in the request leads nowhere; the approved address does.
#[tokio::test]
async fn the_request_goes_to_the_approved_address_whatever_the_name_means_by_then() {
    let upstream = Upstream::answering(OK).await;
    let answers = Answers::new(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let network = Network::new(answers.clone()).unwrap();
    let url = format!("http://api.example.com:{}/", upstream.address.port())
        .parse()
        .unwrap();
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    round(&network, &client, &url, soon()).await.unwrap();
    assert_eq!(
        answers.asked(),
        1,
        "nothing but `resolve` asks a name server"
    );
    assert!(round(&network, &client, &url, soon()).await.is_err());
    assert_eq!(upstream.heads().len(), 1);
    assert!(upstream.heads()[0].contains(&format!(
        "host: api.example.com:{}",
        upstream.address.port()
    )));
}

#[tokio::test]
async fn an_approval_for_one_place_is_no_use_at_another() {
    let (upstream, other) = (Upstream::answering(OK).await, Upstream::answering(OK).await);
    let network = network();
    let url = upstream.url();
    let port = upstream.address.port();
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    let approve = |port| {
        let url = url.clone();
        let network = &network;
        async move {
            network
                .resolve(&url.host().unwrap(), port, &LOOPBACK, soon())
                .await
                .unwrap()
        }
    };
    let approved = approve(port).await;
    for (target, kind) in [
        (
            format!("http://127.0.0.1:{}/", other.address.port()),
            NetErrorKind::Mismatch,
        ),
        (format!("http://127.0.0.2:{port}/"), NetErrorKind::Mismatch),
        (format!("http://localhost:{port}/"), NetErrorKind::Mismatch),
        (format!("https://127.0.0.1:{port}/"), NetErrorKind::Scheme),
        (
            format!("http://user:pass@127.0.0.1:{port}/"),
            NetErrorKind::UserInfo,
        ),
        ("/".to_owned(), NetErrorKind::Scheme),
    ] {
        let request = Request::get(&target).body(RequestBody::default()).unwrap();
        let refused = client
            .send(request, &approved, Timeouts::from_deadline(soon()))
            .await
            .unwrap_err();
        assert_eq!((refused.kind, refused.sent), (kind, false), "{target}");
    }
    let elsewhere = approve(other.address.port()).await;
    let refused = client
        .send(get(&url), &elsewhere, Timeouts::from_deadline(soon()))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, NetErrorKind::Mismatch);
    assert_eq!((upstream.connections(), other.connections()), (0, 0));
}

/// T6: a redirect is an answer like any other.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Upstream::at("127.0.0.1:0", OK).await;
    let location = format!(
        "HTTP/1.1 307 x\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        target.url()
    );
    let upstream = Upstream::answering(location.leak().as_bytes()).await;
    let network = network();
    let client = network
        .client(
            ClientKey::tenant("acme", "billing", &upstream.url()),
            &cleartext(),
        )
        .unwrap();
    let response = round(&network, &client, &upstream.url(), soon())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!((upstream.heads().len(), target.connections()), (1, 0));
}

/// T44.
#[tokio::test]
async fn an_answer_that_switches_protocols_is_an_error() {
    let upstream = Upstream::answering(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    )
    .await;
    let network = network();
    let client = network
        .client(
            ClientKey::tenant("acme", "billing", &upstream.url()),
            &cleartext(),
        )
        .unwrap();
    let refused = round(&network, &client, &upstream.url(), soon())
        .await
        .unwrap_err();
    assert_eq!((refused.kind, refused.sent), (NetErrorKind::Upgrade, true));
}

/// T44.
#[tokio::test]
async fn a_request_that_would_switch_protocols_does_not_leave() {
    let upstream = Upstream::answering(OK).await;
    let (network, url) = (network(), upstream.url());
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    let approved = network
        .resolve(
            &url.host().unwrap(),
            upstream.address.port(),
            &LOOPBACK,
            soon(),
        )
        .await
        .unwrap();
    let mut upgrade = get(&url);
    upgrade
        .headers_mut()
        .insert(header::UPGRADE, "h2c".parse().unwrap());
    let mut connect = get(&url);
    *connect.method_mut() = Method::CONNECT;
    for request in [upgrade, connect] {
        let refused = client
            .send(request, &approved, Timeouts::from_deadline(soon()))
            .await
            .unwrap_err();
        assert_eq!((refused.kind, refused.sent), (NetErrorKind::Upgrade, false));
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn interim_answers_are_dropped() {
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let upstream = Upstream::answering(answer).await;
    let network = network();
    let client = network
        .client(
            ClientKey::tenant("acme", "billing", &upstream.url()),
            &cleartext(),
        )
        .unwrap();
    let response = round(&network, &client, &upstream.url(), soon())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key(header::LINK));
}

#[tokio::test]
async fn a_failure_says_whether_the_request_may_have_arrived() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", unused.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(unused);
    let hangs_up = Upstream::doing("127.0.0.1:0", |mut stream, _| async move {
        read_head(&mut stream).await;
    })
    .await;
    let silent = Upstream::doing("127.0.0.1:0", |mut stream, _| async move {
        read_head(&mut stream).await;
        std::future::pending().await
    })
    .await;
    let babbles = Upstream::answering(b"SSH-2.0-OpenSSH\r\n\r\n").await;
    let network = network();
    for (url, kind, sent) in [
        (
            nobody,
            NetErrorKind::Connect(std::io::ErrorKind::ConnectionRefused),
            false,
        ),
        (hangs_up.url(), NetErrorKind::Closed, true),
        (silent.url(), NetErrorKind::Timeout, true),
        (babbles.url(), NetErrorKind::Protocol, true),
    ] {
        let client = network
            .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
            .unwrap();
        let deadline = Instant::now() + Duration::from_millis(300);
        let failed = round(&network, &client, &url, deadline).await.unwrap_err();
        assert_eq!((failed.kind, failed.sent), (kind, sent), "{url}");
    }
}

#[tokio::test]
async fn the_first_byte_has_a_time_of_its_own() {
    let silent = Upstream::doing("127.0.0.1:0", |stream, _| hold(stream)).await;
    let (network, url) = (network(), silent.url());
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    let approved = network
        .resolve(
            &url.host().unwrap(),
            silent.address.port(),
            &LOOPBACK,
            soon(),
        )
        .await
        .unwrap();
    let began = Instant::now();
    let timeouts = Timeouts {
        first_byte: Duration::from_millis(100),
        deadline: soon(),
    };
    let failed = client
        .send(get(&url), &approved, timeouts)
        .await
        .unwrap_err();
    assert_eq!(failed.kind, NetErrorKind::Timeout);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_tls_handshake_that_never_ends_sends_nothing() {
    let silent = Upstream::doing("127.0.0.1:0", |stream, _| hold(stream)).await;
    let network = network();
    let url = format!("https://{}/", silent.address).parse().unwrap();
    let client = network
        .client(
            ClientKey::tenant("acme", "billing", &url),
            &TlsIdentity::public().unwrap(),
        )
        .unwrap();
    let deadline = Instant::now() + Duration::from_millis(200);
    let failed = round(&network, &client, &url, deadline).await.unwrap_err();
    assert_eq!(
        (failed.kind, failed.sent),
        (NetErrorKind::ConnectTimeout, false)
    );
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced() {
    let upstream = Upstream::doing("127.0.0.1:0", |mut stream, heads| async move {
        let head = read_head(&mut stream).await.unwrap();
        heads.lock().unwrap().push(head);
        stream.write_all(OK).await.unwrap();
    })
    .await;
    let (network, url) = (network(), upstream.url());
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    for _ in 0..3 {
        assert!(round(&network, &client, &url, soon()).await.is_ok());
    }
    assert_eq!((upstream.connections(), upstream.heads().len()), (3, 3));
}

#[tokio::test]
async fn a_head_without_end_is_an_error() {
    let upstream = Upstream::doing("127.0.0.1:0", |mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.ok();
        while stream
            .write_all(format!("x-a: {}\r\n", "y".repeat(4_000)).as_bytes())
            .await
            .is_ok()
        {}
    })
    .await;
    let (network, url) = (network(), upstream.url());
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    let failed = round(&network, &client, &url, soon()).await.unwrap_err();
    assert_eq!((failed.kind, failed.sent), (NetErrorKind::Protocol, true));
}

#[tokio::test]
async fn an_answer_that_is_dropped_half_read_does_not_go_back_to_the_pool() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    let (network, url) = (network(), upstream.url());
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    let approved = network
        .resolve(
            &url.host().unwrap(),
            upstream.address.port(),
            &LOOPBACK,
            soon(),
        )
        .await
        .unwrap();
    for _ in 0..2 {
        drop(
            client
                .send(get(&url), &approved, Timeouts::from_deadline(soon()))
                .await
                .unwrap(),
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn an_ipv6_host_is_matched_with_its_brackets() {
    let upstream = Upstream::at("[::1]:0", OK).await;
    let (network, url) = (network(), upstream.url());
    let client = network
        .client(ClientKey::tenant("acme", "billing", &url), &cleartext())
        .unwrap();
    assert!(round(&network, &client, &url, soon()).await.is_ok());
    let approved = network
        .resolve(
            &url.host().unwrap(),
            upstream.address.port(),
            &LOOPBACK,
            soon(),
        )
        .await
        .unwrap();
    let response = client
        .send(get(&url), &approved, Timeouts::from_deadline(soon()))
        .await
        .unwrap();
    whole(response).await;
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn interim_answers_without_end_close_the_connection() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let upstream = Upstream::doing("127.0.0.1:0", move |mut stream, _| {
        let count = Arc::clone(&count);
        async move {
            read_head(&mut stream).await;
            let many = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(300);
            while stream.write_all(&many).await.is_ok() {
                count.fetch_add(many.len() as u64, Ordering::Relaxed);
            }
        }
    })
    .await;
    let network = network();
    let key = ClientKey::tenant("acme", "billing", &upstream.url());
    let client = network.client(key, &cleartext()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let error = round(&network, &client, &upstream.url(), deadline)
        .await
        .unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Flood);
    assert!(error.sent);
    // One allowance, and what the sockets hold.
    assert!(sent.load(Ordering::Relaxed) < 16 << 20);
}
