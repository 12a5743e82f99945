use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A piece of what a [`RawUpstream`] answers.
#[derive(Debug, Clone)]
pub enum Say {
    /// These bytes, in a write of their own.
    Bytes(Vec<u8>),
    /// Nothing for so long.
    Wait(Duration),
    /// Nothing more, and the connection stays open.
    Hang,
}

type Script = dyn Fn(&str) -> Vec<Say> + Send + Sync;

/// A server that writes byte for byte what a test tells it to, HTTP or not, and keeps every byte
/// that arrives.
pub struct RawUpstream {
    address: std::net::SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for RawUpstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawUpstream")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl RawUpstream {
    /// Answers each request by what `script` makes of its head and body, and closes the connection.
    pub async fn start(script: impl Fn(&str) -> Vec<Say> + Send + Sync + 'static) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (received, connections) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicUsize::new(0)),
        );
        let (bytes, count) = (Arc::clone(&received), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(answer(socket, Arc::clone(&bytes), Arc::clone(&script)));
            }
        });
        Self {
            address,
            received,
            connections,
            task,
        }
    }

    /// Answers every request by the same bytes, head and all.
    pub async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_| vec![Say::Bytes(answer.clone())]).await
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every byte that arrived, of all connections.
    #[must_use]
    pub fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned()
    }

    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    mut socket: TcpStream,
    received: Arc<Mutex<Vec<u8>>>,
    script: Arc<Script>,
) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let mut request = Vec::new();
    let mut buffer = [0; 16 << 10];
    while !is_whole(&request) {
        let read = socket
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        received.lock().unwrap().extend_from_slice(&buffer[..read]);
    }
    for say in script(&String::from_utf8_lossy(&request)) {
        match say {
            Say::Bytes(bytes) => {
                socket.write_all(&bytes).await.ok()?;
                socket.flush().await.ok()?;
            }
            Say::Wait(time) => tokio::time::sleep(time).await,
            Say::Hang => std::future::pending().await,
        }
    }
    socket.shutdown().await.ok()
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    request.len() >= end + 4 + length.unwrap_or(0)
}
