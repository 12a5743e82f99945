//! A 401: the credential is dropped where it came from, and the request made once more, with
//! another one, or not at all.
use crate::support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{Recorder, Upstream, binding, get, grant, grant_with};
use toolhost_egress::{Egress, EgressCall, GuestRequest, GuestResponse};
use toolhost_net::Network;
use toolhost_policy::{
    AuthPlacement, BaseTemplate, Grant, HeaderTemplate, Method, OperationRule, PathTemplate,
    Secret, UnixTime,
};
use toolhost_vault::{
    Credential, CredentialError, CredentialKey, CredentialProvider, CredentialRequest,
};

const OLD: &str = "tok_old_a1B2c3D4e5F6g7H8";
const NEW: &str = "tok_new_z9Y8x7W6v5U4t3S2";

/// Has an old token until it is told that it was refused.
#[derive(Debug, Default)]
struct Renewing {
    is_evicted: AtomicBool,
    evictions: AtomicUsize,
    keeps_the_old: bool,
    has_none_after: bool,
    lasts: std::sync::Mutex<Vec<Duration>>,
}

#[async_trait::async_trait]
impl CredentialProvider for Renewing {
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        let until = request.usable_until.secs();
        let lasts = Duration::from_secs(until.saturating_sub(UnixTime::now().secs()));
        self.lasts.lock().unwrap().push(lasts);
        let is_new = self.is_evicted.load(Ordering::SeqCst) && !self.keeps_the_old;
        if is_new && self.has_none_after {
            return Err(CredentialError::NotConnected);
        }
        Ok(Arc::new(Credential {
            secret: Secret::from(if is_new { NEW } else { OLD }.to_owned()),
            attributes: BTreeMap::from([(
                "site".to_owned(),
                if is_new { "new-site" } else { "old-site" }.to_owned(),
            )]),
            expires_at: None,
            version: 1 + u64::from(is_new),
        }))
    }

    fn evict(&self, _: &CredentialKey, version: u64) {
        self.evictions.fetch_add(1, Ordering::SeqCst);
        if version == 1 {
            self.is_evicted.store(true, Ordering::SeqCst);
        }
    }
}

struct House {
    egress: Arc<Egress>,
    provider: Arc<Renewing>,
    recorder: Arc<Recorder>,
}

fn house(provider: Renewing, recorder: Recorder) -> House {
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
    fn call(&self, grant: Grant) -> Arc<EgressCall> {
        let end = Instant::now() + Duration::from_secs(10);
        Arc::new(self.egress.call(binding("acme"), Arc::new(grant), 7, end))
    }

    async fn send(&self, grant: Grant, request: GuestRequest) -> GuestResponse {
        self.egress.send(&self.call(grant), request).await.unwrap()
    }
}

/// Says 401 and repeats what it was shown.
async fn refusing() -> Upstream {
    let body = format!("you sent {OLD} or {NEW}");
    Upstream::saying("401 Unauthorized\r\ncontent-type: text/plain", &body).await
}

fn sent(upstream: &Upstream, token: &str) -> usize {
    upstream
        .received()
        .matches(&format!("authorization: Bearer {token}"))
        .count()
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_the_request_made_once_more() {
    let (upstream, house) = (
        refusing().await,
        house(Renewing::default(), Recorder::default()),
    );
    let response = house
        .send(grant(&upstream.base()), get("/v1/invoices"))
        .await;
    assert_eq!(response.status, 401);
    assert_eq!(
        (sent(&upstream, OLD), sent(&upstream, NEW)),
        (1, 1),
        "once more, and no more"
    );
    // Both attempts are recorded, each with its intent.
    let outcomes = house.recorder.outcomes();
    assert_eq!((house.recorder.intents(), outcomes.len()), (2, 2));
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.sent && outcome.status == Some(401))
    );
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    assert!(!text.contains(NEW), "{text}");
    let lasts = house.provider.lasts.lock().unwrap();
    assert!(
        lasts
            .iter()
            .all(|lasts| (8..=10).contains(&lasts.as_secs())),
        "to the call's deadline: {lasts:?}"
    );
}

#[tokio::test]
async fn what_the_call_returns_is_held_against_both_tokens() {
    let (upstream, house) = (
        refusing().await,
        house(Renewing::default(), Recorder::default()),
    );
    let call = house.call(grant(&upstream.base()));
    house.egress.send(&call, get("/v1/invoices")).await.unwrap();
    assert!(
        call.credential_in(OLD.as_bytes()).is_some()
            && call.credential_in(NEW.as_bytes()).is_some()
    );
}

#[tokio::test]
async fn a_request_that_may_have_done_something_is_not_made_again_and_its_token_is_dropped_all_the_same()
 {
    let (upstream, house) = (
        refusing().await,
        house(Renewing::default(), Recorder::default()),
    );
    let mut post = get("/v1/refunds");
    post.method = "POST".into();
    // The upstream mirrors what it refuses, which is not what is tried here.
    let granted = || {
        grant_with(&upstream.base(), |connection| {
            connection.reflects = [(Method::Post, "/v1/refunds"), (Method::Get, "/v1/invoices")]
                .map(|(method, path)| OperationRule {
                    method,
                    path: PathTemplate::parse(path).unwrap(),
                })
                .to_vec();
        })
    };
    assert_eq!(house.send(granted(), post).await.status, 401);
    assert_eq!((sent(&upstream, OLD), sent(&upstream, NEW)), (1, 0));
    assert_eq!(house.provider.evictions.load(Ordering::SeqCst), 1);
    house.send(granted(), get("/v1/invoices")).await;
    assert_eq!(sent(&upstream, OLD), 1, "the next call has the new one");
}

#[tokio::test]
async fn the_same_token_is_not_sent_twice_and_no_token_is_no_reason_to_hide_the_answer() {
    for provider in [
        Renewing {
            keeps_the_old: true,
            ..Renewing::default()
        },
        Renewing {
            has_none_after: true,
            ..Renewing::default()
        },
    ] {
        let (upstream, house) = (refusing().await, house(provider, Recorder::default()));
        assert_eq!(
            house
                .send(grant(&upstream.base()), get("/v1/invoices"))
                .await
                .status,
            401
        );
        assert_eq!((sent(&upstream, OLD), sent(&upstream, NEW)), (1, 0));
        assert_eq!(house.recorder.outcomes().len(), 1);
    }
}

#[tokio::test]
async fn another_status_drops_nothing() {
    for head in ["403 Forbidden", "200 OK", "500 Oh", "407 Proxy"] {
        let (upstream, house) = (
            Upstream::saying(head, "").await,
            house(Renewing::default(), Recorder::default()),
        );
        house
            .send(grant(&upstream.base()), get("/v1/invoices"))
            .await;
        assert_eq!(
            (
                upstream.connections(),
                house.provider.evictions.load(Ordering::SeqCst)
            ),
            (1, 0),
            "{head}"
        );
    }
}

#[tokio::test]
async fn the_second_attempt_takes_from_the_budget_and_is_recorded_before_it_leaves() {
    let (upstream, one) = (
        refusing().await,
        house(Renewing::default(), Recorder::default()),
    );
    let mut tight = grant(&upstream.base());
    tight.limits.http_calls = 1;
    assert_eq!(one.send(tight, get("/v1/invoices")).await.status, 401);
    assert_eq!(
        (sent(&upstream, OLD), sent(&upstream, NEW)),
        (1, 0),
        "one request a call"
    );

    // Intent and outcome of the first are events 0 and 1; the intent of the second cannot be
    // recorded.
    let failing = Recorder {
        fails_from: Some(2),
        ..Recorder::default()
    };
    let (upstream, house) = (refusing().await, house(Renewing::default(), failing));
    let call = house.call(grant(&upstream.base()));
    assert!(house.egress.send(&call, get("/v1/invoices")).await.is_err());
    assert_eq!((sent(&upstream, OLD), sent(&upstream, NEW)), (1, 0));
}

#[tokio::test]
async fn a_connection_that_shows_no_credential_has_none_to_renew() {
    let (upstream, house) = (
        refusing().await,
        house(Renewing::default(), Recorder::default()),
    );
    let grant = grant_with(&upstream.base(), |connection| {
        connection.auth = AuthPlacement::None;
        let template = HeaderTemplate::parse("{site}").unwrap();
        connection.headers = vec![(http::HeaderName::from_static("x-site"), template)];
    });
    house.send(grant, get("/v1/invoices")).await;
    assert_eq!(
        (
            upstream.connections(),
            house.provider.evictions.load(Ordering::SeqCst)
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn path_and_query_are_filled_from_the_credential_that_is_sent_with_them() {
    let (upstream, house) = (
        refusing().await,
        house(Renewing::default(), Recorder::default()),
    );
    let template = BaseTemplate::parse(&format!("{}/t/{{site}}", upstream.base())).unwrap();
    let filled = |connection: &mut toolhost_policy::Connection| {
        connection.base = template.sample().clone();
        connection.filled.base = Some(template.clone());
        connection.filled.query = vec![(
            "account".to_owned(),
            HeaderTemplate::parse("{site}").unwrap(),
        )];
    };
    let mut request = get("/v1/invoices");
    request.query = vec![("limit".into(), "5".into())];
    house
        .send(grant_with(&upstream.base(), filled), request.clone())
        .await;
    let received = upstream.received();
    for (site, token) in [("old-site", OLD), ("new-site", NEW)] {
        let line = format!("GET /t/{site}/v1/invoices?limit=5&account={site} HTTP/1.1\r\n");
        let at = received.find(&line).unwrap_or_else(|| panic!("{received}"));
        let head = received[at..].split("\r\n\r\n").next().unwrap();
        assert!(head.contains(token), "{head}");
    }
    // A guest cannot set the key, whatever it was granted, and in whatever case.
    for key in ["account", "ACCOUNT"] {
        let mut grant = grant_with(&upstream.base(), filled);
        for granted in grant.connections.values_mut() {
            granted.endpoints[0].query = vec!["account".to_owned(), "ACCOUNT".to_owned()];
        }
        request.query = vec![(key.into(), "another-tenant".into())];
        assert!(
            house
                .egress
                .send(&house.call(grant), request.clone())
                .await
                .is_err(),
            "{key}"
        );
    }
    assert!(!upstream.received().contains("another-tenant"));
}
