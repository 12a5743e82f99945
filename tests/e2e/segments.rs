//! The plugin `segments` through the built host: what is kept, for whom, and what many callers at
//! once make of it.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};
use toolhost_harness::{Host, Issuer};

/// A host with a data directory and no connection at all, for acme and globex.
struct World {
    issuer: Issuer,
    host: Host,
    client: reqwest::Client,
}

impl World {
    fn start() -> Self {
        let issuer = Issuer::es256("https://issuer.test", "k1");
        let host = Host::with()
            .data()
            .plugin("segments")
            .config("[tenants.acme]\n[tenants.globex]")
            .issuer(&issuer);
        Self {
            issuer,
            host: host.start(),
            client: reqwest::Client::new(),
        }
    }

    async fn call(&self, tenant: &str, tool: &str, arguments: Value) -> (u16, Value) {
        let request = self
            .client
            .post(self.host.at(&format!("/api/v1/tools/{tool}/call")))
            .bearer_auth(self.issuer.token(tenant))
            .json(&json!({ "arguments": arguments }));
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// A call that goes well.
    async fn done(&self, tenant: &str, tool: &str, arguments: Value) -> Value {
        let (status, mut answer) = self.call(tenant, tool, arguments).await;
        assert_eq!(status, 200, "{tool}: {answer}");
        answer["structured"].take()
    }

    async fn make(&self, tenant: &str, name: &str) -> Value {
        let rule = json!({ "field": "country", "operator": "equals", "value": "ES" });
        let arguments = json!({ "name": name, "rules": [rule] });
        self.done(tenant, "create_segment", arguments).await
    }

    async fn names(&self, tenant: &str) -> Vec<String> {
        let listed = self
            .done(tenant, "list_segments", json!({ "limit": 100 }))
            .await;
        let rows = listed["segments"].as_array().unwrap();
        rows.iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn twenty_segments_that_are_made_at_once_get_twenty_ids() {
    let world = World::start();
    let names: Vec<String> = (0..20).map(|number| format!("segment {number}")).collect();
    let made = join_all(names.iter().map(|name| world.make("acme", name))).await;
    let ids: BTreeSet<&str> = made
        .iter()
        .map(|segment| segment["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 20, "{ids:?}");
    let kept: BTreeSet<String> = world.names("acme").await.into_iter().collect();
    assert_eq!(kept, names.into_iter().collect());
}

#[tokio::test]
async fn two_tenants_have_segments_of_their_own_under_the_same_id() {
    let world = World::start();
    let (acme, globex) = (
        world.make("acme", "Ours").await,
        world.make("globex", "Theirs").await,
    );
    assert_eq!(acme["id"], globex["id"]);
    for (tenant, name) in [("acme", "Ours"), ("globex", "Theirs")] {
        assert_eq!(world.names(tenant).await, [name]);
        let got = world
            .done(tenant, "get_segment", json!({ "id": acme["id"] }))
            .await;
        assert_eq!(got["name"], name);
    }
    let renamed = json!({ "id": acme["id"], "revision": 1, "name": "Ours alone" });
    world.done("acme", "update_segment", renamed).await;
    assert_eq!(world.names("globex").await, ["Theirs"]);
    let second = world.make("acme", "Ours too").await;
    let (status, refused) = world
        .call("globex", "get_segment", json!({ "id": second["id"] }))
        .await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("tool_failed")),
        "{refused}"
    );
}

#[tokio::test]
async fn of_changes_that_were_made_at_once_from_one_revision_one_is_kept() {
    let world = World::start();
    let id = world.make("acme", "Spain").await["id"].clone();
    let changes = (0..8).map(|number| {
        let change = json!({ "id": id, "revision": 1, "name": format!("change {number}") });
        world.call("acme", "update_segment", change)
    });
    let answers = join_all(changes).await;
    let (kept, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!((kept.len(), refused.len()), (1, 7), "{kept:?}");
    for (status, answer) in &refused {
        assert_eq!(
            (*status, &answer["code"]),
            (422, &json!("tool_failed")),
            "{answer}"
        );
        let said = answer["detail"].as_str().unwrap();
        assert!(said.contains("somebody else has changed segment"), "{said}");
    }
    let now = world.done("acme", "get_segment", json!({ "id": id })).await;
    assert_eq!(now["revision"], 2);
    assert_eq!(now["name"], kept[0].1["structured"]["name"]);
}

#[tokio::test]
async fn segments_outlast_a_host_that_was_killed() {
    let world = World::start();
    world.make("acme", "Spain").await;
    let World {
        issuer,
        host,
        client,
    } = world;
    let world = World {
        issuer,
        host: host.killed_and_started(),
        client,
    };
    assert_eq!(world.names("acme").await, ["Spain"]);
    assert_eq!(
        world.make("acme", "Portugal").await["id"],
        "seg_000000000002"
    );
}
