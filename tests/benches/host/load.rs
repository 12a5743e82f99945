//! A client that keeps its connections and sends one request after the other on each: bounded by
//! count, not by time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::table::cpu_of_others;

/// One kept connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move {
            let _ended = connection.await;
        });
        Self {
            sender,
            authority: address.to_string(),
        }
    }

    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.authority);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        self.sender.ready().await.unwrap();
        let (head, body) = self
            .sender
            .send_request(request)
            .await
            .unwrap()
            .into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, head.headers, body)
    }
}

/// What a run of requests came to.
#[derive(Debug)]
pub struct Run {
    pub each: Vec<Duration>,
    pub whole: Duration,
    /// Of all threads but this one, which is the client's: of the servers, of which one has nothing
    /// to do.
    pub cpu: Duration,
}

impl Run {
    pub fn per_second(&self) -> f64 {
        self.each.len() as f64 / self.whole.as_secs_f64()
    }
}

/// The same request `times` times on each connection, all of them answered with `expected`
/// somewhere.
pub async fn run(
    connections: &mut [Connection],
    headers: &[Vec<(String, String)>],
    body: &Bytes,
    expected: &str,
    times: usize,
) -> Run {
    let (started, used) = (Instant::now(), cpu_of_others());
    let each = connections
        .iter_mut()
        .zip(headers)
        .map(|(connection, headers)| async move {
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let mut samples = Vec::with_capacity(times);
            for _ in 0..times {
                let sent = Instant::now();
                let (status, _, answer) = connection
                    .send("POST", "/mcp", &headers, body.clone())
                    .await;
                samples.push(sent.elapsed());
                let holds = answer
                    .windows(expected.len())
                    .any(|window| window == expected.as_bytes());
                assert!(
                    status == 200 && holds,
                    "{status}: {}",
                    String::from_utf8_lossy(&answer)
                );
            }
            samples
        });
    let each = futures::future::join_all(each).await.concat();
    Run {
        each,
        whole: started.elapsed(),
        cpu: cpu_of_others().saturating_sub(used),
    }
}
