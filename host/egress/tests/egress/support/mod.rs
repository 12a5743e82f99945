//! An upstream that keeps every byte it gets, and an egress in front of it.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use toolhost_audit::{EgressOutcome, Event, OnFailure, Sink, SinkError};
use toolhost_egress::{Egress, EgressCall, GuestRequest};
use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_net::Network;
use toolhost_policy::{
    CheckedConnection, Connection, ConnectionGrant, ConnectionName, Endpoint, Grant, Limits,
    Method, PathTemplate, PluginName, Secret,
};
use toolhost_vault::{Credential, CredentialError, CredentialProvider, CredentialRequest};

pub const ACME: &str = "tok_live_a1B2c3/D4e5+F6g7H8==";
pub const GLOBEX: &str = "tok_live_z9Y8x7/W6v5+U4t3S2==";

/// One connection is one request and one answer, written in the given pieces. An answer without end
/// hangs.
pub struct Upstream {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    pub async fn answering<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Self {
        let pieces: Arc<[Vec<u8>]> = pieces
            .into_iter()
            .map(|piece| piece.as_ref().to_vec())
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (received, connections) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicUsize::new(0)),
        );
        let (bytes, count) = (received.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(socket, bytes.clone(), pieces.clone()));
            }
        });
        Self {
            address,
            received,
            connections,
        }
    }

    /// A whole answer with `connection: close`.
    pub async fn saying(head: &str, body: &str) -> Self {
        let length = body.len();
        Self::answering([format!(
            "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )])
        .await
    }

    pub fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(
    mut socket: TcpStream,
    bytes: Arc<Mutex<Vec<u8>>>,
    pieces: Arc<[Vec<u8>]>,
) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        let read = socket
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        bytes.lock().unwrap().extend_from_slice(&buffer[..read]);
    }
    for piece in pieces.iter() {
        if piece == b"HANG" {
            std::future::pending::<()>().await;
        }
        socket.write_all(piece).await.ok()?;
        socket.flush().await.ok()?;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    socket.shutdown().await.ok()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")
            .map(str::to_owned)
    });
    body.len()
        >= length
            .and_then(|length| length.parse::<usize>().ok())
            .unwrap_or(0)
}

#[derive(Debug, Default)]
pub struct Provider {
    pub asked: AtomicUsize,
    pub hangs: bool,
}

#[async_trait::async_trait]
impl CredentialProvider for Provider {
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        let key = request.key;
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let secret = match key.tenant().as_str() {
            "acme" => ACME,
            "globex" => GLOBEX,
            _ => return Err(CredentialError::NotConnected),
        };
        let attributes = BTreeMap::from([(
            "external_tenant_id".to_owned(),
            format!("ext-{}-77", key.tenant()),
        )]);
        Ok(Arc::new(Credential {
            secret: Secret::from(secret.to_owned()),
            attributes,
            expires_at: None,
            version: 1,
        }))
    }
}

#[derive(Debug, Default)]
pub struct Recorder {
    pub events: Mutex<Vec<Event>>,
    /// Fails from this event on.
    pub fails_from: Option<usize>,
    /// The operator serves reads without a record.
    pub serves_reads: bool,
}

impl Recorder {
    pub fn outcomes(&self) -> Vec<EgressOutcome> {
        let outcome = |event: &Event| match event {
            Event::EgressOutcome(outcome) => Some(outcome.clone()),
            _ => None,
        };
        self.events
            .lock()
            .unwrap()
            .iter()
            .filter_map(outcome)
            .collect()
    }

    pub fn intents(&self) -> usize {
        self.events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| matches!(event, Event::EgressIntent(_)))
            .count()
    }

    pub fn text(&self) -> String {
        serde_json::to_string(&*self.events.lock().unwrap()).unwrap()
    }
}

impl Sink for Recorder {
    fn record_now(&self, event: &Event) -> Result<(), SinkError> {
        let mut events = self.events.lock().unwrap();
        if self.fails_from.is_some_and(|from| events.len() >= from) {
            return Err(SinkError::Unwritable("disk full".into()));
        }
        events.push(event.clone());
        Ok(())
    }

    fn on_failure(&self) -> OnFailure {
        if self.serves_reads {
            OnFailure::ServeReads
        } else {
            OnFailure::Refuse
        }
    }
}

pub struct House {
    pub egress: Arc<Egress>,
    pub provider: Arc<Provider>,
    pub recorder: Arc<Recorder>,
}

pub fn house() -> House {
    house_with(Provider::default(), Recorder::default())
}

pub fn house_with(provider: Provider, recorder: Recorder) -> House {
    let (provider, recorder) = (Arc::new(provider), Arc::new(recorder));
    let providers: BTreeMap<String, Arc<dyn CredentialProvider>> = BTreeMap::from([(
        "static".to_owned(),
        provider.clone() as Arc<dyn CredentialProvider>,
    )]);
    let network = Arc::new(Network::system().unwrap());
    let egress = Arc::new(Egress::new(network, providers, recorder.clone()).unwrap());
    House {
        egress,
        provider,
        recorder,
    }
}

impl House {
    pub fn call(&self, tenant: &str, grant: Grant) -> Arc<EgressCall> {
        self.call_for(tenant, grant, Duration::from_secs(10))
    }

    pub fn call_for(&self, tenant: &str, grant: Grant, time: Duration) -> Arc<EgressCall> {
        Arc::new(
            self.egress
                .call(binding(tenant), Arc::new(grant), 7, Instant::now() + time),
        )
    }

    pub fn asked(&self) -> usize {
        self.provider.asked.load(Ordering::SeqCst)
    }
}

pub fn binding(tenant: &str) -> Binding {
    let tenant = TenantId::parse(tenant).unwrap();
    let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
    let directory = StaticDirectory::new([(tenant, vec![])]).unwrap();
    Binding::home(Arc::new(principal), &directory).unwrap()
}

pub fn grant(base: &str) -> Grant {
    grant_with(base, |_| {})
}

pub fn grant_with(base: &str, change: impl FnOnce(&mut Connection)) -> Grant {
    let mut connection = Connection {
        allow_http: true,
        allow_loopback: true,
        ..Connection::new(
            ConnectionName::parse("billing").unwrap(),
            url::Url::parse(base).unwrap(),
        )
    };
    change(&mut connection);
    let endpoint = |method, path: &str, query: &[&str]| Endpoint {
        method,
        path: PathTemplate::parse(path).unwrap(),
        query: query.iter().map(|&key| key.to_owned()).collect(),
        query_objects: vec![],
        headers: vec![],
    };
    let granted = ConnectionGrant {
        principal: connection.principal,
        guest_base: connection.base.clone(),
        endpoints: vec![
            endpoint(Method::Get, "/v1/invoices", &["limit", "cursor"]),
            endpoint(Method::Get, "/v1/invoices/{id}", &[]),
            endpoint(Method::Head, "/v1/invoices", &[]),
            endpoint(Method::Post, "/v1/refunds", &[]),
        ],
        connection: CheckedConnection::new(connection).unwrap(),
    };
    Grant {
        plugin: PluginName::parse("billing").unwrap(),
        connections: BTreeMap::from([(granted.connection.name.clone(), granted)]),
        limits: Limits::default(),
    }
}

pub fn get(path: &str) -> GuestRequest {
    GuestRequest {
        connection: "billing".into(),
        method: "GET".into(),
        path: path.into(),
        ..GuestRequest::default()
    }
}
