//! What each egress step costs, and what all of them add to a plain GET on a kept loopback
//! connection.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]
#![allow(missing_docs, reason = "criterion's macros")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;
use toolhost_audit::{Event, Sink, SinkError};
use toolhost_egress::scrub::{NeedleCache, Needles};
use toolhost_egress::{Egress, EgressCall, GuestRequest, steps};
use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_net::Network;
use toolhost_policy::{
    CheckedConnection, Connection, ConnectionGrant, ConnectionName, Endpoint, Grant, Limits,
    Method, PathTemplate, PluginName, PrincipalRule, Secret,
};
use toolhost_vault::{Credential, CredentialError, CredentialProvider, CredentialRequest};

const SECRET: &str = "tok_live_a1B2c3/D4e5+F6g7H8==";

#[derive(Debug)]
struct Fixed(Arc<Credential>);

#[async_trait::async_trait]
impl CredentialProvider for Fixed {
    async fn fetch(&self, _: CredentialRequest<'_>) -> Result<Arc<Credential>, CredentialError> {
        Ok(self.0.clone())
    }
}

/// Serialises, as every real sink does, and writes nowhere.
#[derive(Debug)]
struct Nowhere;

impl Sink for Nowhere {
    fn record_now(&self, event: &Event) -> Result<(), SinkError> {
        black_box(serde_json::to_vec(event).map_err(|error| SinkError::Event(error.to_string()))?);
        Ok(())
    }
}

/// About 1 KiB of JSON, as a page of invoices is.
fn invoices() -> Bytes {
    let one = r#"{"id":"in_1","amount_cents":4200,"currency":"eur","status":"paid"}"#;
    format!(r#"{{"invoices":[{}],"next":null}}"#, [one; 15].join(",")).into()
}

async fn upstream() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).unwrap();
            let answer = service_fn(|_| async {
                let response = http::Response::builder().header("content-type", "application/json");
                Ok::<_, Infallible>(response.body(Full::new(invoices())).unwrap())
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), answer),
            );
        }
    });
    address
}

fn grant(base: &str) -> Arc<Grant> {
    let connection = Connection {
        allow_http: true,
        allow_loopback: true,
        ..Connection::new(
            ConnectionName::parse("billing").unwrap(),
            url::Url::parse(base).unwrap(),
        )
    };
    let path = PathTemplate::parse("/v1/customers/{id}/invoices").unwrap();
    let endpoint = Endpoint {
        method: Method::Get,
        path,
        query: vec!["limit".into()],
        query_objects: vec![],
        headers: vec![],
    };
    let granted = ConnectionGrant {
        principal: PrincipalRule::User,
        guest_base: connection.base.clone(),
        endpoints: vec![endpoint],
        connection: CheckedConnection::new(connection).unwrap(),
    };
    Arc::new(Grant {
        plugin: PluginName::parse("billing").unwrap(),
        connections: BTreeMap::from([(granted.connection.name.clone(), granted)]),
        limits: Limits {
            http_calls: u64::MAX,
            ..Limits::default()
        },
    })
}

fn request() -> GuestRequest {
    GuestRequest {
        connection: "billing".into(),
        method: "GET".into(),
        path: "/v1/customers/{id}/invoices".into(),
        parameters: vec![("id".into(), "cus_7".into())],
        query: vec![("limit".into(), "20".into())],
        headers: vec![("accept".into(), "application/json".into())],
        body: None,
    }
}

struct House {
    egress: Arc<Egress>,
    network: Arc<Network>,
    provider: Arc<Fixed>,
    call: EgressCall,
}

fn house(base: &str) -> House {
    let credential = Credential {
        secret: Secret::from(SECRET.to_owned()),
        attributes: BTreeMap::new(),
        expires_at: None,
        version: 1,
    };
    let provider = Arc::new(Fixed(Arc::new(credential)));
    let network = Arc::new(Network::system().unwrap());
    let providers = BTreeMap::from([(
        "static".to_owned(),
        provider.clone() as Arc<dyn CredentialProvider>,
    )]);
    let egress = Arc::new(Egress::new(network.clone(), providers, Arc::new(Nowhere)).unwrap());
    let tenant = TenantId::parse("acme").unwrap();
    let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
    let directory = StaticDirectory::new([(tenant, vec![])]).unwrap();
    let binding = Binding::home(Arc::new(principal), &directory).unwrap();
    let call = egress.call(
        binding,
        grant(base),
        1,
        Instant::now() + Duration::from_secs(3_600),
    );
    House {
        egress,
        network,
        provider,
        call,
    }
}

fn each_step(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let base = format!("http://{}", runtime.block_on(upstream()));
    let house = house(&base);
    let (call, request) = (&house.call, request());
    let mut group = criterion.benchmark_group("step");
    group.bench_function("connection", |b| {
        b.iter(|| steps::connection(call, black_box("billing")).is_ok())
    });
    let granted = steps::connection(call, "billing").unwrap();
    let connection = &*granted.connection;
    group.bench_function("principal", |b| {
        b.iter(|| steps::principal(call.binding(), black_box(granted)).is_ok())
    });
    group.bench_function("budget", |b| {
        b.iter(|| steps::budget(call, black_box(0)).is_ok())
    });
    group.bench_function("endpoint", |b| {
        b.iter(|| steps::endpoint(granted, black_box(&request)).is_ok())
    });
    let endpoint = steps::endpoint(granted, &request).unwrap();
    group.bench_function("build_url", |b| {
        b.iter(|| steps::build_url(&connection.base, endpoint, black_box(&request)))
    });
    let text = steps::build_url(&connection.base, endpoint, &request).unwrap();
    group.bench_function("canonicalise", |b| {
        b.iter(|| steps::canonicalise(connection, &endpoint.path, black_box(&text)))
    });
    let url = steps::canonicalise(connection, &endpoint.path, &text).unwrap();
    group.bench_function("match_again", |b| {
        b.iter(|| steps::match_again(granted, &connection.base, endpoint, black_box(&url)).is_ok())
    });
    let limits = &call.grant().limits;
    group.bench_function("operation", |b| {
        b.iter(|| steps::operation(call, black_box(&request)).is_ok())
    });
    group.bench_function("guest_headers", |b| {
        b.iter(|| steps::guest_headers(call, connection, black_box(&request.headers)))
    });
    group.bench_function("credential", |b| {
        b.to_async(&runtime)
            .iter(|| steps::credential(Some(&*house.provider), call, connection));
    });
    let credential = Some(&*house.provider.0);
    let cache = NeedleCache::default();
    group.bench_function("needles", |b| {
        b.iter(|| steps::needles(&cache, call, connection, credential, &[]))
    });
    group.bench_function("needles, built", |b| {
        b.iter(|| {
            Needles::build(
                credential.map(|credential| &credential.secret),
                &connection.auth,
                &[],
            )
        });
    });
    group.bench_function("resolve", |b| {
        b.to_async(&runtime)
            .iter(|| steps::resolve(&house.network, call, connection, &url));
    });
    let approved = runtime
        .block_on(steps::resolve(&house.network, call, connection, &url))
        .unwrap();
    group.bench_function("intent", |b| {
        b.to_async(&runtime).iter(|| {
            steps::intent(
                &Nowhere, call, connection, endpoint, credential, &approved, 0,
            )
        });
    });
    let attached = steps::fill_headers(connection, credential).unwrap();
    let headers = steps::guest_headers(call, connection, &request.headers).unwrap();
    group.bench_function("attach", |b| {
        b.iter_batched(
            || headers.clone(),
            |headers| {
                steps::attach(
                    call, connection, endpoint, credential, &attached, &url, headers, None,
                )
                .is_ok()
            },
            BatchSize::SmallInput,
        );
    });
    let head = http::Response::builder()
        .header("content-type", "application/json")
        .body(())
        .unwrap()
        .into_parts()
        .0;
    group.bench_function("cap_head", |b| {
        b.iter(|| steps::cap_head(limits, black_box(&head)).is_ok())
    });
    group.bench_function("cap_body, 1 KiB", |b| {
        let read = || async {
            steps::cap_body(limits, call.deadline(), &mut Full::new(invoices()))
                .await
                .is_ok()
        };
        b.to_async(&runtime).iter(read);
    });
    let needles = steps::needles(&cache, call, connection, credential, &[]).unwrap();
    group.bench_function("scrub, 1 KiB", |b| {
        b.iter_batched(
            invoices,
            |body| steps::scrub(&needles, true, body),
            BatchSize::SmallInput,
        );
    });
    let large = Bytes::from(invoices().repeat(100));
    group.bench_function("scrub, 100 KiB", |b| {
        b.iter_batched(
            || large.clone(),
            |body| steps::scrub(&needles, true, body),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("response_headers", |b| {
        b.iter(|| {
            steps::response_headers(
                call,
                connection,
                &needles,
                head.status,
                black_box(&head.headers),
                Some(1),
            )
        });
    });
    group.bench_function("outcome", |b| {
        b.iter(|| {
            steps::OutcomeRecorder::begin(Arc::new(Nowhere), call, black_box(&request))
                .finish(None, true)
        });
    });
    group.finish();
}

fn whole(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let base = format!("http://{}", runtime.block_on(upstream()));
    let house = house(&base);
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{base}/v1/customers/cus_7/invoices?limit=20");
    let mut group = criterion.benchmark_group("get");
    group.bench_function("plain reqwest", |b| {
        b.to_async(&runtime).iter(|| async {
            let request = plain
                .get(&url)
                .bearer_auth(SECRET)
                .header("accept", "application/json");
            request.send().await.unwrap().bytes().await.unwrap().len()
        });
    });
    group.bench_function("brokered", |b| {
        b.to_async(&runtime).iter(|| async {
            house
                .egress
                .send(&house.call, request())
                .await
                .unwrap()
                .body
                .len()
        });
    });
    group.finish();
}

criterion_group!(benches, each_step, whole);
criterion_main!(benches);
