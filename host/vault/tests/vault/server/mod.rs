//! A server on loopback that answers as it is told and keeps what it was asked.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use toolhost_net::{Destination, Network};
use toolhost_vault::ProviderEndpoint;
use url::Url;

/// One question.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// A pair of a form.
    pub fn form(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.into_owned())
    }
}

pub type Answer = (u16, String);

pub struct Server {
    pub url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub async fn answering<F, R>(answer: F) -> Self
    where
        F: Fn(Asked) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let (seen, location) = (Arc::clone(&asked), url.join("/elsewhere").unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer, location) =
                    (Arc::clone(&seen), Arc::clone(&answer), location.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (seen, answer, location) =
                            (Arc::clone(&seen), Arc::clone(&answer), location.clone());
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await.unwrap().to_bytes();
                            let asked = Asked {
                                method: head.method.to_string(),
                                path: head.uri.to_string(),
                                headers: head.headers,
                                body: String::from_utf8(body.to_vec()).unwrap(),
                            };
                            seen.lock().unwrap().push(asked.clone());
                            let (status, text) = answer(asked).await;
                            let response = Response::builder()
                                .status(status)
                                .header("content-type", "application/json")
                                .header("location", location.as_str());
                            Ok::<_, Infallible>(
                                response.body(Full::new(Bytes::from(text))).unwrap(),
                            )
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { url, asked }
    }

    pub async fn saying(status: u16, text: &str) -> Self {
        let text = text.to_owned();
        Self::answering(move |_| {
            let text = text.clone();
            async move { (status, text) }
        })
        .await
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub fn place(&self, path: &str) -> ProviderEndpoint {
        place(self.url.join(path).unwrap())
    }
}

/// A place on loopback, in the clear, as a test has it.
pub fn place(url: Url) -> ProviderEndpoint {
    ProviderEndpoint {
        destination: Destination {
            allow_http: true,
            allow_loopback: true,
            ..Destination::new(url)
        },
        tls: None,
    }
}

pub fn network() -> Arc<Network> {
    Arc::new(Network::system().unwrap())
}

/// A file with a secret, for its owner alone.
pub fn secret_file(
    directory: &tempfile::TempDir,
    name: &str,
    secret: &str,
) -> toolhost_vault::SecretSource {
    use std::os::unix::fs::PermissionsExt as _;
    let path = directory.path().join(name);
    std::fs::write(&path, secret).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    toolhost_vault::SecretSource::File(path)
}
