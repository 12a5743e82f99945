//! How an issuer's documents are asked for: what is allowed on the way, how much is taken, and for
//! how long.

use crate::support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::json;
use support::{AUDIENCE, ISSUER, config, dev_key, directory, jwks_url};
use toolhost_identity::MAX_KEY_SET_BYTES;
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{
    Clock as _, FetchError, FetchRequest, IssuerConfig, KeyFetch, KeySource, SystemClock, Tenancy,
};

/// Longer than a document may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers each question by its address, and keeps the questions.
#[derive(Debug)]
struct Issuer {
    key: DevKey,
    keys_at: String,
    asked: Mutex<Vec<FetchRequest>>,
    hangs: bool,
}

impl KeyFetch for Issuer {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<Bytes, FetchError>> {
        let url = request.url.to_string();
        self.asked.lock().unwrap().push(request);
        Box::pin(async move {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            let page = match url {
                url if url == self.keys_at => json!({"keys": [self.key.jwk()]}),
                url if url.contains("/.well-known/") => {
                    json!({"issuer": ISSUER, "jwks_uri": self.keys_at})
                }
                _ => return Err(FetchError("nobody answers".into())),
            };
            Ok(page.to_string().into())
        })
    }
}

fn issuer(keys_at: &str, hangs: bool) -> Arc<Issuer> {
    Arc::new(Issuer {
        key: dev_key(),
        keys_at: keys_at.to_owned(),
        asked: Mutex::default(),
        hangs,
    })
}

async fn is_believed(config: IssuerConfig, issuer: &Arc<Issuer>) -> bool {
    let request = MintRequest {
        tenant: Some("acme".into()),
        ..MintRequest::new(ISSUER, AUDIENCE, "user-1")
    };
    let token = issuer
        .key
        .mint(&request, SystemClock::default().unix())
        .unwrap();
    let tenancy = Tenancy::new(vec![config], directory(), None, issuer.clone()).unwrap();
    tenancy.authenticate_token(&token).await.is_ok()
}

#[tokio::test]
async fn what_the_operator_allows_on_the_way_is_allowed_and_nothing_else() {
    for (allow_http, allow_loopback, allow_private) in [
        (false, false, false),
        (true, false, false),
        (false, true, false),
        (false, false, true),
    ] {
        let issuer = issuer(&jwks_url(ISSUER), false);
        let config = IssuerConfig {
            allow_http,
            allow_loopback,
            allow_private,
            ..config(ISSUER)
        };
        assert!(is_believed(config, &issuer).await);
        let asked = issuer.asked.lock().unwrap();
        assert_eq!(asked.len(), 1);
        let found = (
            asked[0].allow_http,
            asked[0].allow_loopback,
            asked[0].allow_private,
        );
        assert_eq!(found, (allow_http, allow_loopback, allow_private));
        assert_eq!(asked[0].cap, MAX_KEY_SET_BYTES);
        assert!(asked[0].deadline <= Duration::from_secs(5));
    }
}

#[tokio::test]
async fn keys_that_anybody_on_the_way_could_change_are_not_asked_for_whoever_names_them() {
    let at = "http://idp.example/jwks";
    let issuer = issuer(at, false);
    let config = IssuerConfig {
        keys: KeySource::Discovery,
        ..config(ISSUER)
    };
    assert!(!is_believed(config, &issuer).await);
    let asked = issuer.asked.lock().unwrap();
    assert!(
        asked.iter().all(|asked| asked.url.scheme() == "https"),
        "{asked:?}"
    );
    assert!(!asked.is_empty());
}

#[tokio::test]
async fn an_issuer_that_never_answers_is_given_up_on() {
    let issuer = issuer(&jwks_url(ISSUER), true);
    let answered = tokio::time::timeout(PATIENCE, is_believed(config(ISSUER), &issuer)).await;
    assert_eq!(answered, Ok(false));
}
