//! What is changed in the server without a word: nothing that is remembered is believed for longer
//! than it may be.

use super::*;

/// As the word of a host that was killed between its commit and its announcement: it is in the
/// server, and nobody heard of it.
pub(crate) async fn taken_away(town: &Town, tenant: &str, key: &[u8]) {
    let (database, schema) = match town.layout {
        Layout::Schema => (town.name.clone(), format!("{}_t_{tenant}", town.name)),
        Layout::Database => (
            format!("{}_t_{tenant}", town.name),
            format!("{}_t_{tenant}", town.name),
        ),
    };
    let admin = town.admin(&database).await;
    let delete = format!("DELETE FROM \"{schema}\".record WHERE position($1::bytea IN key) > 0");
    let gone = admin.execute(&delete, &[&key]).await.unwrap();
    assert!(gone > 0, "it was there");
}

async fn a_session_ends_everywhere(layout: Layout) {
    let world = World::on(Town::new(layout).await).await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    for host in [one, two] {
        assert_eq!(active(host, &token, &id).await.as_deref(), Some("acme"));
    }
    taken_away(&world.town, "acme", id.as_bytes()).await;
    let from = Instant::now();
    for host in [one, two] {
        let gone = until("the end", SOON, async || {
            active(host, &token, &id).await.is_none()
        });
        gone.await;
    }
    println!(
        "a session that ended without a word is over at both after {:.1?}",
        from.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_without_a_word_is_over_at_both_hosts() {
    a_session_ends_everywhere(Layout::Schema).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_databases_of_their_own_too() {
    a_session_ends_everywhere(Layout::Database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_that_goes_without_a_word_is_refused_by_both_hosts() {
    let world = World::on(Town::new(Layout::Database).await).await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    for host in [one, two] {
        let called = call(host, &token, &id, &invoices()).send().await.unwrap();
        assert_eq!(called.status(), 200);
    }
    taken_away(&world.town, "acme", b"billing").await;
    let from = Instant::now();
    for host in [one, two] {
        until("the removal", SOON, async || {
            outcome(call(host, &token, &id, &invoices())).await.1 == "not_found"
        })
        .await;
    }
    println!(
        "an assignment that went without a word is refused by both after {:.1?}",
        from.elapsed()
    );
}
