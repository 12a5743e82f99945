//! Answers that come compressed or in another charset, though neither was asked for.
use crate::support;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use support::{ACME, House, Upstream, binding, get, grant_with, house};
use toolhost_egress::{EgressCode, EgressFailure};
use toolhost_policy::{ConnectionName, Method, OperationRule, PathTemplate};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn upstream(head: &str, body: &[u8]) -> Upstream {
    let head = format!(
        "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    Upstream::answering([[head.as_bytes(), body].concat()]).await
}

/// The body, whole and streamed, for a plugin or an adapter.
async fn bodies(
    house: &House,
    upstream: &Upstream,
    is_adapter: bool,
) -> [Result<Vec<u8>, EgressFailure>; 2] {
    let granted = grant_with(&upstream.base(), |connection| {
        connection.reflects = vec![OperationRule {
            method: Method::Get,
            path: PathTemplate::parse("/v1/invoices").unwrap(),
        }];
    });
    let end = Instant::now() + Duration::from_secs(10);
    let mut call = house
        .egress
        .call(binding("acme"), Arc::new(granted), 7, end);
    let mut request = get("/v1/invoices");
    if is_adapter {
        call = call.of_adapter(ConnectionName::parse("billing").unwrap(), None);
        request.connection = String::new();
    }
    let call = Arc::new(call);
    let whole = house
        .egress
        .send(&call, request.clone())
        .await
        .map(|answer| answer.body.to_vec());
    let streamed = async {
        let mut exchange = house.egress.start(call, request).await?;
        let mut out = Vec::new();
        while let Some(piece) = exchange.body.next().await {
            out.extend_from_slice(&piece?);
        }
        Ok(out)
    };
    [whole, streamed.await]
}

#[tokio::test]
async fn a_compressed_answer_is_decoded_and_then_scrubbed() {
    let house = house();
    let text = format!("{{\"sent\":\"{ACME}\"}}");
    let json = "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: ";
    for (coding, body) in [
        ("gzip", gzip(text.as_bytes())),
        ("gzip, gzip", gzip(&gzip(text.as_bytes()))),
    ] {
        let upstream = upstream(&format!("{json}{coding}"), &body).await;
        for body in bodies(&house, &upstream, false).await {
            assert_eq!(body.unwrap(), br#"{"sent":"[redacted]"}"#, "{coding}");
        }
    }
    let bomb = upstream(&format!("{json}gzip"), &gzip(&vec![b'0'; 64 << 20])).await;
    for body in bodies(&house, &bomb, false).await {
        let failure = body.unwrap_err();
        assert_eq!(
            (failure.code, failure.sent),
            (EgressCode::Limit, true),
            "{failure}"
        );
    }
    for (coding, body) in [
        ("x-evil", &b"abc"[..]),
        ("gzip", b"abc"),
        ("gzip, gzip, gzip", b"abc"),
    ] {
        let upstream = upstream(&format!("{json}{coding}"), body).await;
        for body in bodies(&house, &upstream, false).await {
            let failure = body.unwrap_err();
            assert_eq!(
                (failure.code, failure.sent),
                (EgressCode::Upstream, true),
                "{coding}: {failure}"
            );
        }
    }
    for head in [
        "204 No Content\r\ncontent-encoding: gzip",
        "200 OK\r\ncontent-encoding: x-evil",
    ] {
        let upstream = upstream(head, b"").await;
        for body in bodies(&house, &upstream, false).await {
            assert_eq!(body.unwrap(), b"", "{head}");
        }
    }
}

#[tokio::test]
async fn an_adapter_gets_text_in_utf_8_and_without_the_secret() {
    let house = house();
    let text = format!("Zo\u{eb} {ACME}");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (charset, body) in [
        ("utf-16be", wide.clone()),
        ("utf-16", [b"\xfe\xff", &wide[..]].concat()),
        ("iso-8859-1", text.chars().map(|c| c as u8).collect()),
        ("utf-8", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
    ] {
        let head = format!("200 OK\r\ncontent-type: text/plain; charset={charset}");
        let upstream = upstream(&head, &body).await;
        for body in bodies(&house, &upstream, true).await {
            assert_eq!(
                String::from_utf8(body.unwrap()).unwrap(),
                "Zo\u{eb} [redacted]",
                "{charset}"
            );
        }
        for body in bodies(&house, &upstream, false).await {
            // Bytes as they came, or nothing.
            match body {
                Ok(body) => assert!(body.len() < text.len(), "{charset}"),
                Err(failure) => assert_eq!(failure.code, EgressCode::Reflected),
            }
        }
    }
}
