//! A client that lost its connection goes on where it was: E26.

use super::*;

#[tokio::test]
async fn a_client_that_lost_its_connection_gets_its_answer_by_the_id_it_saw_last() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut stream = world.events(&token, &id, None).await;
    world.call(&token, &id, &invoices()).send().await.unwrap();
    let seen = stream.until("call_started").await.id.unwrap();
    drop(stream);
    let mut body = invoices();
    body["call_id"] = json!("while-nobody-listened");
    let answer = json_of(world.call(&token, &id, &body)).await;
    let mut stream = world.events(&token, &id, Some(&seen)).await;
    assert_eq!(stream.next().await.unwrap().kind, "session");
    let kinds = ["call_finished", "call_started", "call_finished"];
    let mut ids = vec![seen];
    for kind in kinds {
        let event = stream.next().await.unwrap();
        assert_eq!(event.kind, kind);
        ids.extend(event.id.clone());
        if event.json()["call_id"] == "while-nobody-listened" && kind == "call_finished" {
            assert_eq!(event.json()["result"], answer);
        }
    }
    assert_eq!(ids.len(), 4, "each has an id");
    // The same id again brings the same again, and without one everything that is kept comes.
    let mut again = world.events(&token, &id, Some(&ids[2])).await;
    again.next().await.unwrap();
    assert_eq!(again.next().await.unwrap().id.as_ref(), Some(&ids[3]));
    let mut whole = world.events(&token, &id, None).await;
    whole.next().await.unwrap();
    assert_eq!(whole.next().await.unwrap().id.as_ref(), Some(&ids[0]));
}

#[tokio::test]
async fn an_id_that_is_too_old_is_answered_by_events_lost_and_never_by_silence() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut stream = world.events(&token, &id, None).await;
    let help = json!({"tool": "help"});
    world.call(&token, &id, &help).send().await.unwrap();
    let first = stream.until("call_started").await.id.unwrap();
    drop(stream);
    for _ in 0..140 {
        world.call(&token, &id, &help).send().await.unwrap();
    }
    let mut stream = world.events(&token, &id, Some(&first)).await;
    stream.next().await.unwrap();
    let lost = stream.next().await.unwrap();
    assert_eq!(lost.kind, "events_lost");
    assert_eq!(lost.json()["after"], lost.id.clone().unwrap().as_str());
    assert!(stream.next().await.unwrap().kind.starts_with("call_"));
    // Whoever comes back with the id of that is not told again.
    let mut stream = world.events(&token, &id, lost.id.as_deref()).await;
    stream.next().await.unwrap();
    assert!(stream.next().await.unwrap().kind.starts_with("call_"));
}

#[tokio::test]
async fn an_answer_that_is_too_long_to_be_kept_is_announced() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let long = "x".repeat(200_000);
    // The tool's own sentence repeats its argument twice and more.
    let body = json!({"tool": "test_elicitation", "accepts": ["elicitation"], "arguments": {"message": long}});
    let answer = world.call(&token, &id, &body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let length = answer.text().await.unwrap().len();
    let mut stream = world.events(&token, &id, None).await;
    let event = stream.until("call_finished").await.json();
    if length > 256 << 10 {
        assert!(
            event["result_bytes"].as_u64().unwrap() > 256 << 10,
            "{event}"
        );
    } else {
        assert!(
            event["result"]["input_required"]["state"].is_string(),
            "{event}"
        );
    }
}
