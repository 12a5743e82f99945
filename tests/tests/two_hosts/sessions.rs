use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Switches that are measured.
const SWITCHES: usize = 40;

/// Within which half of them, at least, are seen by the other host.
const WITHIN: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_made_on_one_host_goes_on_at_the_other() {
    let world = World::start().await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    println!(
        "one: a session begins, at {:?}",
        active(one, &token, &id).await.unwrap()
    );
    let answer = call(two, &token, &id, &invoices()).send().await.unwrap();
    println!(
        "two: list_invoices in that session, for {:?}",
        whose(answer).await
    );
    switch(two, &token, &id, "globex").await;
    println!("two: switch_tenant globex");
    let seen = until("the switch", SOON, async || {
        active(one, &token, &id).await.as_deref() == Some("globex")
    });
    println!("one: the session is at \"globex\", {:.1?} after", seen.await);
    let answer = call(one, &token, &id, &invoices()).send().await.unwrap();
    println!(
        "one: list_invoices in that session, for {:?}",
        whose(answer).await
    );
    // Nobody else's, on either.
    let other = world
        .issuer
        .mint(&json!({"tenantId": "acme", "sub": "eve", "role": "owner"}));
    for host in [one, two] {
        assert_eq!(outcome(call(host, &other, &id, &invoices())).await.0, 404);
    }
    let ended = ask(two, Method::DELETE, &format!("/api/v1/sessions/{id}"), &token);
    assert!(ended.send().await.unwrap().status().is_success());
    let gone = until("the end", SOON, async || active(one, &token, &id).await.is_none()).await;
    println!("two: the session is ended; one refuses it {gone:.1?} after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_on_one_host_is_seen_by_the_other_soon_and_never_half() {
    let world = World::start().await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    let over = AtomicBool::new(false);
    // Whatever is called meanwhile is all of one tenant: its name, its credential, its account.
    let calls = async {
        let mut counts = [0, 0];
        while !over.load(Ordering::SeqCst) {
            let answer = call(two, &token, &id, &invoices()).send().await.unwrap();
            counts[usize::from(whose(answer).await == "globex")] += 1;
        }
        counts
    };
    let switches = async {
        let mut times = Vec::new();
        for turn in 0..SWITCHES {
            let tenant = ["globex", "acme"][turn % 2];
            switch(one, &token, &id, tenant).await;
            let seen = until("the switch", SOON, async || {
                active(two, &token, &id).await.as_deref() == Some(tenant)
            });
            times.push(seen.await);
        }
        over.store(true, Ordering::SeqCst);
        times
    };
    let (counts, mut times) = tokio::join!(calls, switches);
    times.sort();
    assert!(times[SWITCHES / 2] < WITHIN, "{times:?}");
    show("a switch on one host is seen by the other", times);
    println!(
        "calls on the other meanwhile: {} for acme, {} for globex, none half",
        counts[0], counts[1]
    );
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}
