//! Refresh tokens that rotate: each is good for one use, and a used one is remembered by the server
//! as stolen (T50).

use crate::server;
use crate::support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use server::{Server, network, secret_file};
use support::{House, Point, by, key, later_binding, name, new, record_key, space, user_key};
use toolhost_oauth::ClientAuth;
use toolhost_policy::UnixTime;
use toolhost_vault::{
    ClientSettings, CredentialError, CredentialProvider as _, CredentialRequest, RefreshToken,
    RefreshTokenSettings, SealedVault, UserAccounts,
};

/// A server that gives each refresh token once, and ends the whole line when a used one comes back.
#[derive(Default)]
struct Line {
    current: usize,
    is_ended: bool,
}

async fn strict(life: u64) -> (Server, Arc<Mutex<Line>>) {
    let line = Arc::new(Mutex::new(Line::default()));
    let state = Arc::clone(&line);
    let server = Server::answering(move |asked| {
        let mut line = state.lock().unwrap();
        assert_eq!(asked.form("grant_type").unwrap(), "refresh_token");
        let is_current = asked.form("refresh_token").unwrap() == format!("refresh-token-{}", line.current);
        line.is_ended |= !is_current;
        let answer = if line.is_ended {
            (400, r#"{"error": "invalid_grant"}"#.to_owned())
        } else {
            line.current += 1;
            let number = line.current;
            let text = serde_json::json!({
                "access_token": format!("access-token-{number}"), "token_type": "Bearer", "expires_in": life,
                "refresh_token": format!("refresh-token-{number}"),
            });
            (200, text.to_string())
        };
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer
        }
    })
    .await;
    (server, line)
}

fn provider(server: &Server, vault: SealedVault) -> RefreshToken {
    one_of(server, vault, false)
}

/// One of several hosts on one store, where `among_hosts`.
fn one_of(server: &Server, vault: SealedVault, among_hosts: bool) -> RefreshToken {
    let directory = tempfile::tempdir().unwrap();
    let settings = RefreshTokenSettings {
        token: server.place("/token"),
        client: ClientSettings {
            id: Some("toolhost".to_owned()),
            secret: Some(secret_file(&directory, "own", "the hosts own secret")),
            auth: ClientAuth::ClientSecretBasic,
        },
        resource: vec![],
        among_hosts,
    };
    let provider = RefreshToken::new(settings, network(), vault).unwrap();
    std::mem::forget(directory);
    provider
}

async fn connected(house: &House) -> SealedVault {
    let vault = house.vault();
    vault
        .set(
            &space("acme"),
            &name("billing"),
            new("refresh-token-0"),
            &by(),
        )
        .await
        .unwrap();
    vault
}

async fn stored(house: &House) -> String {
    let got = house.vault().get(&key("acme", "billing")).await.unwrap();
    String::from_utf8(got.secret.expose().to_vec()).unwrap()
}

fn text(credential: &toolhost_vault::Credential) -> String {
    String::from_utf8(credential.secret.expose().to_vec()).unwrap()
}

#[tokio::test]
async fn a_rotated_refresh_token_follows_the_one_before_and_the_line_goes_on() {
    let house = House::new().await;
    let (server, line) = strict(600).await;
    let provider = provider(&server, connected(&house).await);
    // Each call ends when the token of the one before has expired; nobody waits for that.
    let until = UnixTime::now().after(Duration::from_secs(1_200));
    for number in 1..=3 {
        let got = provider
            .fetch(CredentialRequest::until(&key("acme", "billing"), until))
            .await
            .unwrap();
        assert_eq!(text(&got), format!("access-token-{number}"));
        assert_eq!(stored(&house).await, format!("refresh-token-{number}"));
    }
    assert!(!line.lock().unwrap().is_ended);
    assert_eq!(
        server.asked()[0].header("authorization"),
        "Basic dG9vbGhvc3Q6dGhlK2hvc3RzK293bitzZWNyZXQ="
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t50_a_hundred_calls_use_one_refresh_token_once() {
    let house = House::new().await;
    let (server, line) = strict(600).await;
    let provider = Arc::new(provider(&server, connected(&house).await));
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let provider = Arc::clone(&provider);
            tokio::spawn(async move {
                provider
                    .get(&key("acme", "billing"))
                    .await
                    .map(|got| text(&got))
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "access-token-1");
    }
    assert_eq!(server.count(), 1);
    assert!(!line.lock().unwrap().is_ended);
}

#[tokio::test]
async fn t50_no_access_token_is_used_before_its_refresh_token_is_stored() {
    let house = House::new().await;
    let (server, _line) = strict(600).await;
    let provider = Arc::new(provider(&server, connected(&house).await));
    let (reached, go_on) = house.store.close(Point::Write(record_key(b"billing")));
    let call = tokio::spawn({
        let provider = Arc::clone(&provider);
        async move {
            provider
                .get(&key("acme", "billing"))
                .await
                .map(|got| text(&got))
        }
    });
    reached.await.unwrap();
    assert_eq!(server.count(), 1, "the server has answered");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!call.is_finished());
    go_on.send(()).unwrap();
    assert_eq!(call.await.unwrap().unwrap(), "access-token-1");
    assert_eq!(stored(&house).await, "refresh-token-1");
}

#[tokio::test]
async fn t50_a_caller_that_goes_away_does_not_lose_the_next_refresh_token() {
    let house = House::new().await;
    let (server, line) = strict(600).await;
    let provider = Arc::new(provider(&server, connected(&house).await));
    let call = tokio::spawn({
        let provider = Arc::clone(&provider);
        async move { provider.get(&key("acme", "billing")).await.map(|_| ()) }
    });
    while server.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    let got = provider.get(&key("acme", "billing")).await.unwrap();
    assert_eq!((text(&got).as_str(), server.count()), ("access-token-1", 1));
    assert_eq!(stored(&house).await, "refresh-token-1");
    assert!(!line.lock().unwrap().is_ended);
}

#[tokio::test]
async fn t50_a_host_that_died_between_leaves_a_clear_no() {
    let house = House::new().await;
    let (server, line) = strict(600).await;
    let vault = connected(&house).await;
    // What a host got and did not live to store.
    line.lock().unwrap().current = 1;
    let refused = provider(&server, vault)
        .get(&key("acme", "billing"))
        .await
        .unwrap_err();
    assert_eq!(refused, CredentialError::NotConnected);
}

#[tokio::test]
async fn a_credential_that_is_set_anew_meanwhile_wins_over_what_was_made_of_the_old_one() {
    let house = House::new().await;
    let (server, line) = strict(600).await;
    let provider = Arc::new(provider(&server, connected(&house).await));
    let (reached, go_on) = house.store.close(Point::Write(record_key(b"billing")));
    let call = tokio::spawn({
        let provider = Arc::clone(&provider);
        async move {
            provider
                .get(&key("acme", "billing"))
                .await
                .map(|got| text(&got))
        }
    });
    reached.await.unwrap();
    // The user connects another account, whose line stands elsewhere.
    line.lock().unwrap().current = 7;
    let other = house.vault();
    other
        .set(
            &space("acme"),
            &name("billing"),
            new("refresh-token-7"),
            &by(),
        )
        .await
        .unwrap();
    go_on.send(()).unwrap();
    assert_eq!(call.await.unwrap().unwrap(), "access-token-8");
    assert_eq!(stored(&house).await, "refresh-token-8");
}

#[tokio::test]
async fn another_host_that_was_faster_is_followed_and_not_taken_for_a_no() {
    let house = House::new().await;
    let (server, _line) = strict(600).await;
    let vault = connected(&house).await;
    let key = key("acme", "billing");
    // This host's vault has the first one open when another host uses it up and stores the next.
    vault.get(&key).await.unwrap();
    provider(&server, house.vault()).get(&key).await.unwrap();
    let used = server.asked()[0].form("refresh_token").unwrap();
    assert_eq!(used, "refresh-token-0");
    let lenient = Server::answering(|asked| async move {
        match asked.form("refresh_token").unwrap().as_str() {
            "refresh-token-1" => (
                200,
                r#"{"access_token": "access-token-9", "token_type": "Bearer"}"#.to_owned(),
            ),
            _ => (400, r#"{"error": "invalid_grant"}"#.to_owned()),
        }
    })
    .await;
    let got = provider(&lenient, vault).get(&key).await.unwrap();
    assert_eq!(text(&got), "access-token-9");
}

#[tokio::test]
async fn a_user_has_a_line_of_their_own_and_a_tenants_does_not_stand_in() {
    let house = House::new().await;
    let (server, _line) = strict(600).await;
    let provider = provider(&server, connected(&house).await);
    let refused = provider
        .get(&user_key("acme", "billing"))
        .await
        .unwrap_err();
    assert_eq!(
        (refused, server.count()),
        (CredentialError::NotConnected, 0)
    );
    assert!(provider.get(&key("acme", "billing")).await.is_ok());
    assert_eq!(
        provider.get(&key("globex", "billing")).await.unwrap_err(),
        CredentialError::NotConnected
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t50_hosts_on_one_store_use_a_rotating_refresh_token_one_after_the_other() {
    let house = House::new().await;
    let (server, line) = strict(600).await;
    connected(&house).await;
    // Each has a vault of its own over the one store, as two processes have.
    let hosts: Vec<_> = (0..4)
        .map(|_| Arc::new(one_of(&server, house.vault(), true)))
        .collect();
    for _ in 0..3 {
        let own = key("acme", "billing");
        let asked: Vec<_> = hosts
            .iter()
            .map(|host| {
                let (host, own) = (Arc::clone(host), own.clone());
                tokio::spawn(async move { host.get(&own).await.map(|got| text(&got)) })
            })
            .collect();
        for one in asked {
            assert!(one.await.unwrap().unwrap().starts_with("access-token-"));
        }
        assert!(!line.lock().unwrap().is_ended, "none was used twice");
        for host in &hosts {
            host.forget(&own);
        }
    }
}

#[tokio::test]
async fn an_access_token_of_an_account_goes_with_the_tenant_that_it_was_connected_for() {
    let house = House::new().await;
    let (server, _) = strict(600).await;
    let account = key("acme", "billing");
    let accounts = UserAccounts::new(provider(&server, connected(&house).await), None);
    let of_tenant = async |incarnation| {
        let binding = later_binding("acme", incarnation);
        let request = CredentialRequest {
            binding: Some(&binding),
            ..CredentialRequest::until(&account, UnixTime::now())
        };
        text(&accounts.fetch(request).await.unwrap())
    };
    assert_eq!(of_tenant(1).await, "access-token-1");
    assert_eq!(of_tenant(1).await, "access-token-1", "it is kept");
    assert_eq!(
        of_tenant(2).await,
        "access-token-2",
        "another tenant of that name gets none of the first one's"
    );
}
