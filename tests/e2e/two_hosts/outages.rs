use super::*;
use crate::two_hosts::server::Private;

/// Without the server nothing is believed for longer.
const BELIEVED: Duration = Duration::from_secs(5);

/// Until hosts have found a server again that was away.
const BACK: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_leaves_no_stale_rights() {
    let directory = tempfile::tempdir().unwrap();
    let server = Private::own(directory.path(), &[]);
    let world = World::on(Town::on(server.server(), Layout::Schema).await).await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    assert_eq!(
        whose(call(two, &token, &id, &invoices()).send().await.unwrap()).await,
        "acme"
    );
    server.kill();
    let is_served = async |host| {
        let answer = call(host, &token, &id, &invoices()).send().await.unwrap();
        answer.status() == 200
    };
    let refused = until("the refusal", BELIEVED, async || !is_served(two).await).await;
    println!("without the server the other host refuses after {refused:.1?}");
    let asked = world.billing.upstream.seen().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!is_served(one).await && !is_served(two).await);
    assert_eq!(
        world.billing.upstream.seen().len(),
        asked,
        "nothing leaves meanwhile"
    );
    server.start();
    let back = until("the return", BACK, async || is_served(one).await).await;
    println!("with the server back, calls go on after {back:.1?}");
    // What is revoked while the other may not hear yet counts there all the same.
    let removed = one.verb(&["credential", "remove", "acme/billing"]);
    assert_eq!(removed.status, 0, "{removed:?}");
    let refused = until("the removal", SOON, async || !is_served(two).await).await;
    println!("a credential that is removed then is refused by the other host after {refused:.1?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, code) = outcome(call(two, &token, &id, &invoices())).await;
    assert!(
        matches!(code.as_str(), "not_connected" | "internal" | "unavailable"),
        "{code}"
    );
    until("the reason", BACK, async || {
        outcome(call(two, &token, &id, &invoices())).await.1 == "not_connected"
    })
    .await;
    assert_eq!(world.town.layout, Layout::Schema);
}
