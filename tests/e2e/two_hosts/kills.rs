use std::sync::Mutex;

use super::*;

/// Callers that write while a host is killed.
const CALLERS: usize = 4;

/// How long they do before it.
const BEFORE: Duration = Duration::from_millis(700);

/// A session that was acknowledged: whose, and at which tenant.
struct Acknowledged {
    token: String,
    id: String,
    /// None where the switch may have been made or not.
    tenant: Option<&'static str>,
}

/// Begins sessions and switches them until the host is gone.
async fn write(host: &str, token: &str, acknowledged: &Mutex<Vec<Acknowledged>>) {
    let client = reqwest::Client::new();
    let post = |path: &str, body: Value| {
        client
            .post(format!("{host}{path}"))
            .bearer_auth(token)
            .json(&body)
    };
    loop {
        let Ok(made) = post("/api/v1/sessions", json!({})).send().await else {
            return;
        };
        let Ok(made) = made.json::<Value>().await else {
            return;
        };
        let id = made["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/sessions/{id}/calls");
        let body = json!({"tool": "switch_tenant", "arguments": {"tenantId": "globex"}});
        let switched = match post(&path, body).send().await {
            Ok(answer) => answer.json::<Value>().await.ok(),
            Err(_) => None,
        };
        let tenant = switched.map(|answer| {
            assert_eq!(
                answer["structured"]["active_tenant_id"], "globex",
                "{answer}"
            );
            "globex"
        });
        acknowledged.lock().unwrap().push(Acknowledged {
            token: token.to_owned(),
            id,
            tenant,
        });
        if tenant.is_none() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_either_host_loses_nothing_that_was_acknowledged() {
    let mut world = World::start().await;
    for round in ["one", "two"] {
        let acknowledged = Mutex::new(Vec::new());
        let (victim, other) = match round {
            "one" => (&mut world.one, &world.two),
            _ => (&mut world.two, &world.one),
        };
        let at = victim.at("");
        // One caller has only so many sessions.
        let tokens = (0..CALLERS).map(|caller| {
            let subject = format!("{round}-{caller}");
            world
                .issuer
                .mint(&json!({"tenantId": "acme", "sub": subject, "role": "owner"}))
        });
        let tokens: Vec<String> = tokens.collect();
        let writers = tokens.iter().map(|token| write(&at, token, &acknowledged));
        let writers = futures::future::join_all(writers);
        let killed = async {
            tokio::time::sleep(BEFORE).await;
            victim.kill();
        };
        tokio::join!(writers, killed);
        let acknowledged = acknowledged.into_inner().unwrap();
        assert!(acknowledged.len() > 2 * CALLERS, "{}", acknowledged.len());
        for Acknowledged { token, id, tenant } in &acknowledged {
            let found = active(other, token, id).await;
            let found =
                found.unwrap_or_else(|| panic!("a session of {} is gone", acknowledged.len()));
            assert!(
                tenant.is_none_or(|tenant| tenant == found),
                "{found} {tenant:?}"
            );
        }
        let Acknowledged { token, id, .. } = &acknowledged[0];
        assert_eq!(
            whose(call(other, token, id, &invoices()).send().await.unwrap()).await,
            "globex"
        );
        println!(
            "{round} was killed under load: all {} acknowledged sessions go on at the other",
            acknowledged.len()
        );
        // And with it again, after it has started again.
        world = World {
            one: if round == "one" {
                world.one.killed_and_started()
            } else {
                world.one
            },
            two: if round == "two" {
                world.two.killed_and_started()
            } else {
                world.two
            },
            ..world
        };
        let again = if round == "one" {
            &world.one
        } else {
            &world.two
        };
        assert_eq!(
            whose(call(again, token, id, &invoices()).send().await.unwrap()).await,
            "globex"
        );
    }
    for host in [&world.one, &world.two] {
        let sound = host.verb(&["store", "check"]);
        assert_eq!(sound.status, 0, "{sound:?}");
        let whole = host.verb(&["audit", "verify"]);
        assert_eq!(whole.status, 0, "{whole:?}");
    }
}
