//! When a stream ends: with its token, with its session, and when the host drains.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::*;

#[tokio::test]
async fn a_stream_ends_with_its_token_and_not_with_its_session() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    // The leeway of thirty seconds is nearly over.
    let brief = world.claims(&json!({"iat": now - 60, "exp": now - 24}));
    let mut stream = world.events(&brief, &id, None).await;
    let mut other = world.events(&token, &id, None).await;
    let started = Instant::now();
    assert_eq!(
        stream.rest().await.len(),
        1,
        "the session as it was, and no more"
    );
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    let again = problem(world.events_request(&brief, &id, None)).await;
    assert_eq!(again.0, 401);
    world
        .call(&token, &id, &json!({"tool": "help"}))
        .send()
        .await
        .unwrap();
    other.until("call_finished").await;
}

#[tokio::test]
async fn streams_end_with_their_session_and_say_so() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut streams = [
        world.events(&token, &id, None).await,
        world.events(&token, &id, None).await,
    ];
    let ended = world.ask(Method::DELETE, &format!("/api/v1/sessions/{id}"), &token);
    ended.send().await.unwrap();
    for stream in &mut streams {
        let kinds: Vec<String> = stream
            .rest()
            .await
            .into_iter()
            .map(|event| event.kind)
            .collect();
        assert_eq!(kinds, ["session", "session_ended"]);
    }
}

#[tokio::test]
async fn streams_end_when_the_host_drains() {
    let mut world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut stream = world.events(&token, &id, None).await;
    stream.next().await.unwrap();
    world.host.terminate();
    assert_eq!(stream.next().await, None);
    assert!(world.host.ended(Duration::from_secs(20)).await.success());
}
