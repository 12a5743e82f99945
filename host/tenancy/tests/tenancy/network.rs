//! Keys over a real connection: a server on loopback, through `toolhost-net`.

use crate::support;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use support::{AUDIENCE, dev_key, directory};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use toolhost_net::Network;
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{
    Bearer, Destination, IssuerConfig, KeySource, NetworkFetch, Post as _, PostRequest, Tenancy,
};

/// Serves one answer a path, each connection once.
async fn serve(pages: impl Fn(&str, SocketAddr) -> String + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            let mut length = 0;
            while !request[..length].ends_with(b"\r\n\r\n") {
                let Ok(read @ 1..) = stream.read(&mut request[length..]).await else {
                    break;
                };
                length += read;
            }
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let answer = pages(text.split(' ').nth(1).unwrap_or_default(), address);
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

fn page(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn local(issuer: &str, keys: KeySource) -> IssuerConfig {
    IssuerConfig {
        allow_http: true,
        allow_loopback: true,
        ..IssuerConfig::new(issuer, AUDIENCE, keys)
    }
}

async fn status(config: IssuerConfig, key: &DevKey) -> Result<String, u16> {
    let request = MintRequest {
        tenant: Some("acme".into()),
        ..MintRequest::new(&config.issuer, AUDIENCE, "user-1")
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let token = key.mint(&request, now).unwrap();
    let fetch = Arc::new(NetworkFetch::new(Arc::new(Network::system().unwrap())));
    let tenancy = Tenancy::new(vec![config], directory(), None, fetch).unwrap();
    tenancy.start().await;
    let result = tenancy.authenticate_token(&token).await;
    result
        .map(|caller| caller.binding.tenant().to_string())
        .map_err(|error| error.status())
}

#[tokio::test]
async fn keys_come_by_discovery_and_by_url() {
    let key = dev_key();
    let set = json!({"keys": [key.jwk()]}).to_string();
    let address = serve(move |path, address| match path {
        "/.well-known/openid-configuration" => page(
            &json!({"issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/jwks")})
                .to_string(),
        ),
        "/jwks" => page(&set),
        _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
    })
    .await;
    let issuer = format!("http://{address}");
    assert_eq!(
        status(local(&issuer, KeySource::Discovery), &key)
            .await
            .as_deref(),
        Ok("acme")
    );
    let url = KeySource::Url(format!("{issuer}/jwks").parse().unwrap());
    assert_eq!(
        status(local(&issuer, url.clone()), &key).await.as_deref(),
        Ok("acme")
    );
    let mut closed = local(&issuer, url);
    closed.allow_loopback = false;
    assert_eq!(
        status(closed, &key).await,
        Err(503),
        "loopback is for those that say so"
    );
}

#[tokio::test]
async fn a_redirect_an_endless_body_and_a_bad_status_give_no_keys() {
    let key = dev_key();
    let set = json!({"keys": [key.jwk()]}).to_string();
    let address = serve(move |path, address| match path {
        "/moved" => format!(
            "HTTP/1.1 302 Found\r\nlocation: http://{address}/jwks\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        "/huge" => page(&format!("{}{set}", " ".repeat(300 * 1024))),
        "/error" => page(&set).replace("200 OK", "500 Oops"),
        _ => page(&set),
    })
    .await;
    let issuer = format!("http://{address}");
    for (path, expected) in [
        ("/moved", Err(503)),
        ("/huge", Err(503)),
        ("/error", Err(503)),
        ("/jwks", Ok("acme")),
    ] {
        let url = KeySource::Url(format!("{issuer}{path}").parse().unwrap());
        assert_eq!(
            status(local(&issuer, url), &key)
                .await
                .as_deref()
                .map_err(|status| *status),
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn n7_a_question_with_a_token_follows_no_redirect_and_takes_no_endless_answer() {
    let followed = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = followed.clone();
    let address = serve(move |path, address| match path {
        "/stolen" => {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            page("{}")
        }
        "/moved" => format!(
            "HTTP/1.1 307 Moved\r\nlocation: http://{address}/stolen\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        "/huge" => page(&" ".repeat(300 * 1024)),
        "/zipped" => page("{}").replace("connection", "content-encoding: gzip\r\nconnection"),
        _ => page("{\"access_token\":\"t\"}"),
    })
    .await;
    let fetch = NetworkFetch::new(Arc::new(Network::system().unwrap()));
    let ask = async |path: &str, allow_http, allow_loopback| {
        let request = PostRequest {
            destination: Destination {
                timeout: std::time::Duration::from_secs(5),
                url: format!("http://{address}{path}").parse().unwrap(),
                allow_http,
                allow_loopback,
                allow_private: false,
            },
            authorization: None,
            content_type: "application/json",
            // The server above reads no body.
            body: "".into(),
        };
        fetch.post(request).await.map(|answer| answer.status)
    };
    assert_eq!(ask("/", true, true).await, Ok(200));
    assert_eq!(
        ask("/moved", true, true).await,
        Ok(307),
        "it is an answer like any other"
    );
    assert_eq!(followed.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert!(ask("/huge", true, true).await.is_err());
    assert!(ask("/zipped", true, true).await.is_err());
    assert!(
        ask("/", false, true).await.is_err(),
        "http is for those that say so"
    );
    assert!(
        ask("/", true, false).await.is_err(),
        "loopback is for those that say so"
    );
    assert_eq!(
        format!("{:?}", Bearer::new("secret-token")),
        "Bearer(Secret(…))"
    );
}
