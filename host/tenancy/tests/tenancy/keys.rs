//! An issuer's keys over time: T25, T26 and outages.

use crate::support;

use std::time::Duration;

use support::{ISSUER, OTHER, World, config, dev_key, jwks_url, naming};
use toolhost_identity::NamedTenants;
use toolhost_tenancy::dev::MintRequest;
use toolhost_tenancy::{KEY_SET_MAX_AGE, KEY_SET_MAX_STALE, KeySource, REFETCH_INTERVAL};

/// A person's token that outlives every wait of a test.
fn long(world: &World) -> MintRequest {
    MintRequest {
        ttl: Duration::from_secs(24 * 60 * 60),
        ..world.request()
    }
}

/// Lets what was started beside a call end.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_tokens_at_once() {
    let world = World::new();
    *world.net.delay.lock().unwrap() = Duration::from_millis(20);
    let tokens: Vec<_> = (0..50)
        .map(|n| {
            world.mint(
                &world.key,
                &MintRequest {
                    subject: format!("user-{n}"),
                    ..world.request()
                },
            )
        })
        .collect();
    let results = futures::future::join_all(tokens.iter().map(|token| world.tenant(token))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(world.net.count(), 1);
}

#[tokio::test]
async fn t25_a_new_key_is_found_by_one_fetch() {
    let world = World::new();
    assert!(world.tenant(&world.token()).await.is_ok());
    let new = dev_key();
    world.net.serve_keys(&jwks_url(ISSUER), &[&world.key, &new]);
    world.clock.pass(REFETCH_INTERVAL);
    assert!(
        world
            .tenant(&world.mint(&new, &world.request()))
            .await
            .is_ok()
    );
    assert_eq!(world.net.count(), 2);
}

/// B7: a stranger spends a bounded number of fetches, each `kid` of its own one a minute at most,
/// and whoever could not be looked for is told to try again and not that its token is bad.
#[tokio::test]
async fn t25_made_up_kids_cost_a_bounded_number_of_fetches() {
    let world = World::new();
    assert!(world.tenant(&world.token()).await.is_ok());
    let made_up: Vec<_> = (0..20)
        .map(|_| world.mint(&dev_key(), &long(&world)))
        .collect();
    for token in &made_up {
        let expected = if world.net.count() <= 6 {
            Err(401)
        } else {
            Err(503)
        };
        assert_eq!(world.tenant(token).await, expected);
    }
    assert_eq!(world.net.count(), 7, "the first, and six in a row");
    // Those that are known to be absent cost nothing for a minute.
    for token in &made_up[..6] {
        assert_eq!(world.tenant(token).await, Err(401));
    }
    assert_eq!(world.net.count(), 7);
    world.clock.pass(10);
    for token in &made_up[6..] {
        assert!(world.tenant(token).await.is_err());
    }
    assert_eq!(world.net.count(), 8, "and then one in ten seconds");
    assert!(world.tenant(&world.token()).await.is_ok());
}

#[tokio::test]
async fn b7_two_rotations_within_a_minute_are_seen_whatever_strangers_send() {
    let world = World::new();
    assert!(world.tenant(&world.token()).await.is_ok());
    let mut keys = vec![];
    for _ in 0..2 {
        assert_eq!(
            world
                .tenant(&world.mint(&dev_key(), &world.request()))
                .await,
            Err(401)
        );
        keys.push(dev_key());
        let served: Vec<_> = keys.iter().collect();
        world.net.serve_keys(&jwks_url(ISSUER), &served);
        let token = world.mint(keys.last().unwrap(), &world.request());
        assert!(world.tenant(&token).await.is_ok());
        world.clock.pass(1);
    }
    // With all of the budget spent, the real one is asked to come again, and then served.
    for _ in 0..20 {
        assert!(
            world
                .tenant(&world.mint(&dev_key(), &world.request()))
                .await
                .is_err()
        );
    }
    let last = dev_key();
    world.net.serve_keys(&jwks_url(ISSUER), &[&last]);
    let token = world.mint(&last, &world.request());
    assert_eq!(world.tenant(&token).await, Err(503));
    world.clock.pass(10);
    assert!(world.tenant(&token).await.is_ok());
}

#[tokio::test]
async fn b7_while_the_issuer_is_silent_an_unknown_kid_is_not_said_to_be_wrong() {
    let world = World::new();
    assert!(world.tenant(&world.token()).await.is_ok());
    let new = dev_key();
    world.net.down(&jwks_url(ISSUER));
    assert_eq!(
        world.tenant(&world.mint(&new, &world.request())).await,
        Err(503)
    );
    world.net.serve_keys(&jwks_url(ISSUER), &[&world.key, &new]);
    assert!(
        world
            .tenant(&world.mint(&new, &world.request()))
            .await
            .is_ok()
    );
}

/// B4: nothing but a change at the issuer, or in the configuration, helps.
#[tokio::test]
async fn b4_keys_that_cannot_be_used_are_no_reason_to_try_again() {
    let world = World::new();
    for unusable in [
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"EC","crv":"P-521","kid":"a","x":"AA","y":"AA"}]}"#,
        "<html>",
    ] {
        world.net.serve(&jwks_url(ISSUER), unusable);
        world.clock.pass(5);
        assert_eq!(world.tenant(&world.token()).await, Err(500), "{unusable}");
    }
    world.net.down(&jwks_url(ISSUER));
    world.clock.pass(5);
    assert_eq!(world.tenant(&world.token()).await, Err(503));
    world.net.serve_keys(&jwks_url(ISSUER), &[&world.key]);
    world.clock.pass(5);
    assert!(world.tenant(&world.token()).await.is_ok());
}

#[tokio::test]
async fn b5_discovery_passes_over_what_is_no_metadata() {
    let issuer = "https://idp.example/realms/a";
    let pages = [
        "https://idp.example/.well-known/oauth-authorization-server/realms/a",
        "https://idp.example/.well-known/openid-configuration/realms/a",
    ];
    let right = "https://idp.example/realms/a/.well-known/openid-configuration";
    for other in [
        "<!doctype html><html><div id=app></div></html>",
        r#"{"error":"not found"}"#,
        r#"{"issuer":null}"#,
        r#"{"issuer":7}"#,
        "[]",
        "",
        r#"{"issuer":"https://idp.example","jwks_uri":"https://idp.example/of-another"}"#,
        r#"{"issuer":"https://idp.example/realms/a"}"#,
    ] {
        let mut configured = config(issuer);
        configured.keys = KeySource::Discovery;
        let world = World::with_issuers(vec![configured]);
        for page in pages {
            world.net.serve(page, other);
        }
        world.net.serve(
            right,
            format!(r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/jwks"}}"#),
        );
        let request = MintRequest {
            issuer: issuer.into(),
            ..world.request()
        };
        assert!(
            world
                .tenant(&world.mint(&world.key, &request))
                .await
                .is_ok(),
            "{other}"
        );
    }
}

#[tokio::test]
async fn t25_a_removed_key_ends_new_and_cached_tokens_within_fifteen_minutes() {
    let world = World::new();
    let token = world.mint(&world.key, &long(&world));
    assert!(world.tenant(&token).await.is_ok());
    world.net.serve_keys(&jwks_url(ISSUER), &[&dev_key()]);
    world.clock.pass(KEY_SET_MAX_AGE - 1);
    assert!(
        world.tenant(&token).await.is_ok(),
        "the keys are renewed beside this call"
    );
    world.clock.pass(1);
    assert_eq!(world.tenant(&token).await, Err(401));
    assert_eq!(world.tenant(&world.token()).await, Err(401));
}

#[tokio::test]
async fn t25_a_host_that_slept_asks_before_it_believes() {
    let world = World::new();
    let token = world.mint(&world.key, &long(&world));
    assert!(world.tenant(&token).await.is_ok());
    world.net.serve_keys(&jwks_url(ISSUER), &[&dev_key()]);
    world.clock.pass(3 * 60 * 60);
    assert_eq!(world.tenant(&token).await, Err(401));
}

#[tokio::test]
async fn the_same_keys_fetched_again_keep_cached_tokens_and_no_call_waits() {
    let world = World::new();
    let token = world.mint(&world.key, &long(&world));
    for _ in 0..10 {
        assert!(world.tenant(&token).await.is_ok());
        settle().await;
        world.clock.pass(KEY_SET_MAX_AGE - 60);
    }
    assert_eq!(world.net.count(), 10);
}

#[tokio::test]
async fn t25_keys_are_served_stale_for_a_day_and_no_longer() {
    let world = World::new();
    let ttl = MintRequest {
        ttl: Duration::from_secs(24 * 60 * 60),
        ..world.request()
    };
    assert!(world.tenant(&world.token()).await.is_ok());
    world.net.down(&jwks_url(ISSUER));
    world.clock.pass(KEY_SET_MAX_STALE / 2);
    let token = world.mint(&world.key, &ttl);
    assert!(world.tenant(&token).await.is_ok());
    assert!(world.tenancy.is_ready());
    world.clock.pass(KEY_SET_MAX_STALE / 2 - 1);
    assert!(world.tenant(&token).await.is_ok());
    settle().await;
    world.clock.pass(1);
    assert_eq!(
        world.tenant(&token).await,
        Err(503),
        "a cached token ends with its keys"
    );
    assert_eq!(world.tenant(&world.token()).await, Err(503));
    assert!(!world.tenancy.is_ready());
    world.net.serve_keys(&jwks_url(ISSUER), &[&world.key]);
    world.clock.pass(REFETCH_INTERVAL);
    assert!(world.tenant(&token).await.is_ok());
}

#[tokio::test]
async fn t25_a_poisoned_set_does_not_replace_a_good_one() {
    let world = World::new();
    assert!(world.tenant(&world.token()).await.is_ok());
    for poison in [
        "<html>",
        "{\"keys\":[]}",
        "{\"keys\":[],\"keys\":[]}",
        &"x".repeat(300_000),
    ] {
        world.net.serve(&jwks_url(ISSUER), poison);
        world.clock.pass(KEY_SET_MAX_AGE);
        assert!(world.tenant(&world.token()).await.is_ok());
        settle().await;
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_costs_nobody_else() {
    let world = World::with_issuers(vec![
        naming(ISSUER, NamedTenants::All),
        naming(OTHER, NamedTenants::All),
    ]);
    world.tenancy.start().await;
    assert!(world.tenancy.is_ready());
    assert_eq!(world.tenancy.issuers_without_keys(), [OTHER]);
    assert!(world.tenant(&world.token()).await.is_ok());
    let theirs = MintRequest {
        issuer: OTHER.into(),
        ..world.request()
    };
    assert_eq!(
        world.tenant(&world.mint(&world.key, &theirs)).await,
        Err(503)
    );
    world.net.serve_keys(&jwks_url(OTHER), &[&world.key]);
    world.clock.pass(5);
    assert!(world.tenant(&world.mint(&world.key, &theirs)).await.is_ok());
    assert!(world.tenancy.issuers_without_keys().is_empty());
}

#[tokio::test]
async fn an_issuer_that_hangs_does_not_hold_up_anothers_callers() {
    let world = World::with_issuers(vec![
        naming(ISSUER, NamedTenants::All),
        naming(OTHER, NamedTenants::All),
    ]);
    world.net.hang(&jwks_url(OTHER));
    let theirs = world.mint(
        &world.key,
        &MintRequest {
            issuer: OTHER.into(),
            ..world.request()
        },
    );
    let hanging = tokio::spawn({
        let tenancy = world.tenancy.clone();
        async move { tenancy.authenticate_token(&theirs).await.map(drop) }
    });
    settle().await;
    let ours = world.token();
    let result = tokio::time::timeout(Duration::from_secs(60), world.tenant(&ours)).await;
    assert!(result.unwrap().is_ok());
    assert!(!hanging.is_finished(), "the other one hangs all the while");
    hanging.abort();
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_cost_the_others_their_keys() {
    let world = World::new();
    *world.net.delay.lock().unwrap() = Duration::from_millis(30);
    let token = world.token();
    let gone = tokio::time::timeout(Duration::from_millis(5), world.tenant(&token)).await;
    assert!(gone.is_err());
    assert!(world.tenant(&token).await.is_ok());
    assert_eq!(world.net.count(), 1);
}

#[tokio::test]
async fn t26_a_cached_token_ends_when_it_expires() {
    let world = World::new();
    let short = MintRequest {
        ttl: Duration::from_secs(60),
        ..world.request()
    };
    let token = world.mint(&world.key, &short);
    assert!(world.tenant(&token).await.is_ok());
    world.clock.pass(60 + 29);
    assert!(
        world.tenant(&token).await.is_ok(),
        "the leeway is for it as for any other"
    );
    world.clock.pass(1);
    assert_eq!(world.tenant(&token).await, Err(401));
}

#[tokio::test]
async fn discovery_takes_keys_only_from_the_issuer_it_asked_for() {
    let metadata = format!("{ISSUER}/.well-known/openid-configuration");
    let mut issuer = config(ISSUER);
    issuer.keys = KeySource::Discovery;
    let (served, wrong, none) = (Ok("acme".to_owned()), Err(500), Err(503));
    for (document, expected) in [
        (
            format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{ISSUER}/jwks"}}"#),
            &served,
        ),
        (
            format!(r#"{{"issuer":"{ISSUER}/","jwks_uri":"{ISSUER}/jwks"}}"#),
            &wrong,
        ),
        (
            format!(r#"{{"issuer":"{OTHER}","jwks_uri":"{ISSUER}/jwks"}}"#),
            &wrong,
        ),
        (
            format!(r#"{{"issuer":"{OTHER}","issuer":"{ISSUER}","jwks_uri":"{ISSUER}/jwks"}}"#),
            &none,
        ),
        (
            format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"http://idp.example/jwks"}}"#),
            &wrong,
        ),
        (
            format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"file:///etc/passwd"}}"#),
            &wrong,
        ),
        (format!(r#"{{"issuer":"{ISSUER}"}}"#), &wrong),
        (format!(r#"{{"jwks_uri":"{ISSUER}/jwks"}}"#), &none),
    ] {
        let world = World::with_issuers(vec![issuer.clone()]);
        world.net.serve(&metadata, document.clone());
        assert_eq!(world.tenant(&world.token()).await, *expected, "{document}");
    }
}

#[tokio::test]
async fn keys_in_a_file_are_read_again_and_a_missing_file_is_no_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    let mut issuer = config(ISSUER);
    issuer.keys = KeySource::File(path.clone());
    let world = World::with_issuers(vec![issuer]);
    world.tenancy.start().await;
    assert!(!world.tenancy.is_ready());
    assert_eq!(world.tenant(&world.token()).await, Err(500));
    let keys =
        |key: &toolhost_tenancy::dev::DevKey| serde_json::json!({"keys": [key.jwk()]}).to_string();
    std::fs::write(&path, keys(&world.key)).unwrap();
    world.clock.pass(5);
    assert!(world.tenant(&world.token()).await.is_ok());
    std::fs::write(&path, keys(&dev_key())).unwrap();
    world.clock.pass(KEY_SET_MAX_AGE);
    assert_eq!(world.tenant(&world.token()).await, Err(401));
    assert_eq!(world.net.count(), 0);
}
