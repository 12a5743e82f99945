//! Servers on loopback that do as they are told and write down what they saw.

use std::collections::VecDeque;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use toolhost_net::{
    AddressPolicy, Client, Lookup, NetError, Network, RequestBody, ResponseBody, Timeouts,
};
use url::Url;

pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

pub const LOOPBACK: AddressPolicy = AddressPolicy {
    allow_loopback: true,
    allow_private: false,
};

pub struct Upstream {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Answers every request on every connection with these bytes.
    pub async fn answering(answer: &'static [u8]) -> Self {
        Self::at("127.0.0.1:0", answer).await
    }

    pub async fn at(address: &str, answer: &'static [u8]) -> Self {
        Self::doing(address, move |mut stream, heads| async move {
            while let Some(head) = read_head(&mut stream).await {
                heads.lock().unwrap().push(head);
                if stream.write_all(answer).await.is_err() {
                    return;
                }
            }
        })
        .await
    }

    /// Does this with each connection.
    pub async fn doing<F, R>(address: &str, each: F) -> Self
    where
        F: Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (counted, seen) = (connections.clone(), heads.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                tokio::spawn(each(stream, seen.clone()));
            }
        });
        Self {
            address,
            connections,
            heads,
        }
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of the requests that arrived.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub fn url(&self) -> Url {
        format!("http://{}/", self.address).parse().unwrap()
    }
}

pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

pub async fn answer_all(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    heads: Arc<Mutex<Vec<String>>>,
) {
    while let Some(head) = read_head(&mut stream).await {
        heads.lock().unwrap().push(head);
        stream.write_all(OK).await.unwrap();
        stream.flush().await.unwrap();
    }
}

/// A name server that gives one answer after another, the last one for ever, and counts.
#[derive(Debug)]
pub struct Answers {
    left: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Answers {
    pub fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            left: Mutex::new(answers.iter().map(parse).collect()),
            asked: AtomicUsize::new(0),
        })
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Lookup for Answers {
    fn lookup<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NetError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut left = self.left.lock().unwrap();
        let answer = if left.len() > 1 {
            left.pop_front().unwrap()
        } else {
            left[0].clone()
        };
        Box::pin(async move { Ok(answer) })
    }
}

/// A network that has no name server to ask.
pub fn network() -> Network {
    Network::new(Answers::new(&[&[]])).unwrap()
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub fn get(url: &Url) -> Request<RequestBody> {
    Request::get(url.as_str())
        .body(RequestBody::default())
        .unwrap()
}

/// Resolves, sends, and reads the whole answer.
pub async fn round(
    network: &Network,
    client: &Client,
    url: &Url,
    deadline: Instant,
) -> Result<Response<Bytes>, NetError> {
    let port = url.port_or_known_default().unwrap();
    let approved = network
        .resolve(&url.host().unwrap(), port, &LOOPBACK, deadline)
        .await?;
    let response = client
        .send(get(url), &approved, Timeouts::from_deadline(deadline))
        .await?;
    Ok(whole(response).await)
}

pub async fn whole(response: Response<ResponseBody>) -> Response<Bytes> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    // The connection goes back to its pool in a task of its own.
    tokio::time::sleep(Duration::from_millis(20)).await;
    Response::from_parts(head, body)
}
