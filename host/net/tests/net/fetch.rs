//! A small document comes whole, from where it was asked for, or not at all.

use crate::upstream;

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use toolhost_net::{AddressPolicy, NetError, NetErrorKind};
use upstream::{LOOPBACK, Upstream, network, read_head, soon};
use url::Url;

async fn fetch(url: &Url, cap: usize) -> Result<Bytes, NetError> {
    network().fetch(url, cap, soon(), &LOOPBACK, true).await
}

#[tokio::test]
async fn a_document_up_to_the_cap_comes_whole() {
    let plain =
        Upstream::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789").await;
    let chunked = Upstream::answering(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
    )
    .await;
    for upstream in [plain, chunked] {
        assert_eq!(
            &fetch(&upstream.url(), 10).await.unwrap()[..],
            b"0123456789"
        );
        assert_eq!(
            fetch(&upstream.url(), 9).await.unwrap_err().kind,
            NetErrorKind::TooLong(9)
        );
    }
}

#[tokio::test]
async fn the_request_names_what_it_accepts_and_keeps_the_query_but_not_the_fragment() {
    let upstream = Upstream::answering(upstream::OK).await;
    let url = upstream.url().join("/keys?a=b#part").unwrap();
    fetch(&url, 100).await.unwrap();
    let head = &upstream.heads()[0];
    assert!(head.starts_with("GET /keys?a=b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
}

#[tokio::test]
async fn anything_but_200_in_clear_is_an_error() {
    for (answer, kind) in [
        (
            &b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n"[..],
            NetErrorKind::Redirect(302),
        ),
        (b"HTTP/1.1 304 x\r\n\r\n", NetErrorKind::Redirect(304)),
        (
            b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n",
            NetErrorKind::Status(404),
        ),
        (b"HTTP/1.1 204 x\r\n\r\n", NetErrorKind::Status(204)),
        (
            b"HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n",
            NetErrorKind::Status(500),
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nhi",
            NetErrorKind::Encoding(toolhost_net::CodingError::Broken),
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            NetErrorKind::TooLong(100),
        ),
    ] {
        let upstream = Upstream::answering(answer).await;
        assert_eq!(fetch(&upstream.url(), 100).await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_or_drips_is_an_error() {
    let short = Upstream::doing("127.0.0.1:0", |mut stream, _| async move {
        read_head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n012")
            .await
            .unwrap();
    })
    .await;
    assert_eq!(
        fetch(&short.url(), 100).await.unwrap_err().kind,
        NetErrorKind::Closed
    );

    let drips = Upstream::doing("127.0.0.1:0", |mut stream, _| async move {
        read_head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
            .await
            .unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let began = Instant::now();
    let deadline = began + Duration::from_millis(300);
    let failed = network()
        .fetch(&drips.url(), 20_000, deadline, &LOOPBACK, true)
        .await
        .unwrap_err();
    assert_eq!(failed.kind, NetErrorKind::Timeout);
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn http_loopback_and_user_names_need_the_operators_word_or_are_refused() {
    let upstream = Upstream::answering(upstream::OK).await;
    let url = upstream.url();
    let plain = network()
        .fetch(&url, 100, soon(), &LOOPBACK, false)
        .await
        .unwrap_err();
    assert_eq!(plain.kind, NetErrorKind::Scheme);
    let here = network()
        .fetch(&url, 100, soon(), &AddressPolicy::default(), true)
        .await
        .unwrap_err();
    assert!(matches!(here.kind, NetErrorKind::Address(_)));
    let mut named = url.clone();
    named.set_username("user").unwrap();
    assert_eq!(
        fetch(&named, 100).await.unwrap_err().kind,
        NetErrorKind::UserInfo
    );
    for other in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "data:,x",
        "unix:/run/x",
    ] {
        let refused = fetch(&other.parse().unwrap(), 100).await.unwrap_err();
        assert_eq!(refused.kind, NetErrorKind::Scheme, "{other}");
    }
    assert_eq!(upstream.connections(), 0);
}
