//! Token exchange (RFC 8693).

use toolhost_harness::Says;

use super::*;

#[tokio::test]
async fn a_switch_by_exchange_gives_both_connections_the_new_token() {
    let world = World::with(EXCHANGE, |host| host).await;
    let token = world.owner();
    let session = world.session(&token).await;
    let home = world.both_send(&token, &session, "acme").await;
    let switched = world.legacy(&token, &session, switch("globex")).await;
    assert_eq!(active(&switched), "globex", "{switched}");
    let away = world.both_send(&token, &session, "globex").await;
    assert_ne!(home, away);
    // The token names the host as its client, and nobody else.
    for client in [json!("client-1"), json!("another"), json!(null)] {
        world
            .authority
            .says(Says::Token(json!({ "client_id": client })));
        let refused = world.legacy(&token, &session, switch("acme")).await;
        assert_eq!(code(&refused), "tenant_unavailable", "{client}");
        assert_eq!(world.both_send(&token, &session, "globex").await, away);
    }
    world.authority.is_content("/token");
    world.no_login_went_out();
    let forms = world.authority.upstream.seen();
    assert!(
        forms
            .iter()
            .all(|form| String::from_utf8_lossy(&form.body).contains(&token))
    );
}
