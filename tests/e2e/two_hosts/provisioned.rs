//! A tenant's first sight and an operator's new tenant: the next step comes to the other host,
//! whatever became of the first.

use std::process::Stdio;

use super::*;
use crate::two_hosts::flows::row;

/// How long the host that begins lives on after it was asked, in milliseconds: before, while and
/// after it makes the space.
const LIVES: [u64; 4] = [0, 5, 20, 60];

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_one_host_began_is_finished_by_the_other() {
    let mut world = World::start().await;
    for (round, life) in LIVES.into_iter().enumerate() {
        let tenant = format!("seen-{round}");
        let token = world.issuer.token(&tenant);
        let first = ask(&world.one, Method::POST, "/api/v1/sessions", &token).send();
        let killed = async {
            tokio::time::sleep(Duration::from_millis(life)).await;
            world.one.signal(rustix::process::Signal::KILL);
        };
        let (first, ()) = tokio::join!(first, killed);
        row("first sight", "begun, and killed", "one");
        let id = session(&world.two, &token).await;
        row("first sight", "finished", "two");
        if let Ok(first) = first {
            assert_eq!(first.status(), 201);
        }
        world.one = world.one.killed_and_started();
        assert_eq!(
            active(&world.one, &token, &id).await.as_deref(),
            Some(&*tenant)
        );
        row("first sight", "its session goes on", "one, after a start");
        // The same by an operator, whose next step is a credential.
        let tenant = format!("added-{round}");
        let (one, named) = (&world.one, tenant.clone());
        let mut adding =
            toolhost_harness::host::command(one.directory(), &["tenant", "add", &named]);
        let adding = adding.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        tokio::time::sleep(Duration::from_millis(life)).await;
        one.signal(rustix::process::Signal::KILL);
        adding.unwrap().wait().unwrap();
        row("tenant add", "begun, and killed", "one");
        let added = world.two.verb(&["tenant", "add", &tenant]);
        assert!(
            added.status == 0 || added.stderr.contains("exists already"),
            "{added:?}"
        );
        keep_credential(&world.two, &tenant, &[]);
        row("tenant add", "its credential is kept", "two");
        world.one = world.one.killed_and_started();
        let listed = world.one.verb(&["credential", "list", &tenant]);
        assert!(
            listed.status == 0 && listed.stdout.contains("/billing"),
            "{listed:?}"
        );
    }
    let sound = world.two.verb(&["store", "check"]);
    assert_eq!(sound.status, 0, "{sound:?}");
}
