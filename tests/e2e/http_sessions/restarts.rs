//! With a data directory, sessions and their events outlast the host.

use super::*;

#[tokio::test]
async fn a_session_and_its_events_go_on_after_the_host_was_killed() {
    let mut world = World::lasting().await;
    let token = world.owner();
    let id = world.session(&token).await;
    world.switch(&token, &id, "globex").await;
    let mut stream = world.events(&token, &id, None).await;
    let mut body = invoices();
    body["call_id"] = json!("before");
    let answer = json_of(world.call(&token, &id, &body)).await;
    let seen = loop {
        let event = stream.until("call_started").await;
        if event.json()["call_id"] == "before" {
            break event.id.unwrap();
        }
    };
    world.host = world.host.killed_and_started();
    assert!(stream.rest().await.len() <= 1, "that connection is gone");
    let mut stream = world.events(&token, &id, Some(&seen)).await;
    assert_eq!(
        stream.next().await.unwrap().json()["active_tenant_id"],
        "globex"
    );
    let event = stream.until("call_finished").await.json();
    assert_eq!(
        (&event["call_id"], &event["result"]),
        (&json!("before"), &answer)
    );
    is_of(
        world.call(&token, &id, &invoices()).send().await.unwrap(),
        "globex",
    )
    .await;
    stream.until("call_finished").await;
    for other in world.others() {
        assert_eq!(
            problem(world.events_request(&other, &id, Some(&seen)))
                .await
                .0,
            404
        );
    }
}

#[tokio::test]
async fn what_is_on_the_disk_is_sealed() {
    let mut world = World::lasting().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let body =
        json!({"tool": "list_invoices", "arguments": {"limit": 3}, "call_id": "sealed-canary-id"});
    is_of(world.call(&token, &id, &body).send().await.unwrap(), "acme").await;
    world.host.kill();
    let canary = b"sealed-canary-id".as_slice();
    let mut directories = vec![world.host.directory().join("data")];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if entry.is_dir() {
                directories.push(entry);
            } else if entry.is_file() {
                files += 1;
                let bytes = std::fs::read(&entry).unwrap();
                assert!(
                    !bytes.windows(canary.len()).any(|window| window == canary),
                    "{entry:?}"
                );
            }
        }
    }
    assert!(files > 3);
}
