use super::*;

/// Revocations of each kind that are measured.
const ROUNDS: usize = 6;

async fn works(host: &Host, token: &str, session: &str) -> bool {
    let answered = call(host, token, session, &invoices()).send().await;
    answered.unwrap().status() == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_one_host_removes_is_refused_by_both() {
    let world = World::start().await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        for host in [one, two] {
            until("the credential", SOON, async || {
                works(host, &token, &id).await
            })
            .await;
        }
        let removed = one.verb(&["credential", "remove", "acme/billing"]);
        assert_eq!(removed.status, 0, "{removed:?}");
        let refused = until("the removal", SOON, async || {
            outcome(call(two, &token, &id, &invoices())).await.1 == "not_connected"
        });
        times.push(refused.await);
        let (_, code) = outcome(call(one, &token, &id, &invoices())).await;
        assert_eq!(code, "not_connected");
        keep_credential(one, "acme", &[]);
    }
    show("a removed credential is refused by the other host", times);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_that_one_host_removes_is_refused_by_both() {
    let world = World::start().await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        for host in [one, two] {
            until("the assignment", SOON, async || {
                works(host, &token, &id).await
            })
            .await;
        }
        let removed = one.verb(&["plugin", "unassign", "billing", "acme"]);
        assert_eq!(removed.status, 0, "{removed:?}");
        let refused = until("the removal", SOON, async || {
            outcome(call(two, &token, &id, &invoices())).await.1 == "not_found"
        });
        times.push(refused.await);
        let (_, code) = outcome(call(one, &token, &id, &invoices())).await;
        assert_eq!(code, "not_found");
        let again = one.verb(&["plugin", "assign", "billing", "acme"]);
        assert_eq!(again.status, 0, "{again:?}");
    }
    show("a removed assignment is refused by the other host", times);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_one_host_suspends_is_refused_by_both() {
    let world = World::start().await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(two, &token).await;
    switch(two, &token, &id, "globex").await;
    let suspended = one.verb(&["tenant", "suspend", "globex"]);
    assert_eq!(suspended.status, 0, "{suspended:?}");
    let refused = until("the suspension", SOON, async || {
        call(two, &token, &id, &invoices())
            .send()
            .await
            .unwrap()
            .status()
            != 200
    });
    show(
        "a suspended tenant is refused by the other host",
        vec![refused.await],
    );
    assert_ne!(
        call(one, &token, &id, &invoices())
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_both_hosts_and_a_backup_is_the_servers() {
    let world = World::start().await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    assert_eq!(
        whose(call(two, &token, &id, &invoices()).send().await.unwrap()).await,
        "acme"
    );
    for key in [&["key", "rotate", "acme"][..], &["key", "rotate"]] {
        let rotated = one.verb(key);
        assert_eq!(rotated.status, 0, "{rotated:?}");
    }
    for host in [one, two] {
        assert_eq!(
            whose(call(host, &token, &id, &invoices()).send().await.unwrap()).await,
            "acme"
        );
    }
    let checked = two.verb(&["store", "check"]);
    assert_eq!(checked.status, 0, "{checked:?}");
    for verb in [
        &["store", "backup", "copy"][..],
        &["store", "restore", "copy", "--tenant", "acme"],
    ] {
        let refused = two.verb(verb);
        assert!(
            refused.status != 0 && refused.stderr.contains("pg_dump"),
            "{refused:?}"
        );
    }
    assert_eq!(
        whose(call(two, &token, &id, &invoices()).send().await.unwrap()).await,
        "acme"
    );
    // Each has a record of its own of what it did, under the one key.
    for host in [one, two] {
        let whole = host.verb(&["audit", "verify"]);
        assert_eq!(whole.status, 0, "{whole:?}");
    }
    let told = one.verb(&["audit", "tail", "-n", "40"]);
    assert!(told.stdout.contains("key_rotated"), "{told:?}");
    assert!(
        !two.verb(&["audit", "tail", "-n", "40"])
            .stdout
            .contains("key_rotated")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_rotated_while_one_host_or_the_other_serves() {
    const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let World {
        town,
        billing,
        issuer,
        mut one,
        mut two,
    } = World::start().await;
    let token = issuer.mint(&json!({"tenantId": "acme", "sub": "ada", "role": "owner"}));
    let id = session(&one, &token).await;
    let give = |host: &Host, lines: &str| {
        drop(toolhost_harness::host::write(
            host.directory(),
            "master.key",
            lines,
        ))
    };
    for lines in [format!("{MASTER}\n{NEW}\n"), format!("{NEW}\n{MASTER}\n")] {
        give(&one, &lines);
        one = one.killed_and_started();
        give(&two, &lines);
        two = two.killed_and_started();
    }
    let rotated = one.verb(&["key", "rotate", "--master"]);
    assert_eq!(rotated.status, 0, "{rotated:?}");
    let left = std::fs::read_to_string(one.directory().join("master.key")).unwrap();
    assert_eq!(left.trim(), NEW);
    for host in [&one, &two] {
        assert_eq!(
            whose(call(host, &token, &id, &invoices()).send().await.unwrap()).await,
            "acme"
        );
    }
    two.kill();
    give(&two, MASTER);
    let refused = two.verb(&["store", "check"]);
    assert!(
        refused.status != 0 && refused.stderr.contains("cannot be opened"),
        "{refused:?}"
    );
    give(&two, NEW);
    two = two.killed_and_started();
    assert_eq!(
        whose(call(&two, &token, &id, &invoices()).send().await.unwrap()).await,
        "acme"
    );
    drop((town, billing));
}
