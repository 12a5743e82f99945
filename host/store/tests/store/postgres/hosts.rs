//! Two hosts on one server: what one does, the other sees, and soon.

use std::time::{Duration, Instant};

use toolhost_store::keys::{Generation, SubkeyPurpose};
use toolhost_store::postgres::Layout;
use toolhost_store::{
    ChangeSubscription, Key, Notice, Precondition, RecordChange, Space, Store, StoreError, Table,
};

use crate::place::{key, space, tenant};
use crate::town::Town;

/// Within which another host has dropped a key.
const SOON: Duration = Duration::from_secs(60);

fn session(name: &str) -> Key {
    Key::new(Table::Session, &[b"session"], name.as_bytes()).unwrap()
}

async fn next(changes: &mut ChangeSubscription) -> Notice {
    tokio::time::timeout(Duration::from_secs(10), changes.next())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_one_host_is_told_to_the_other_and_can_be_read_then() {
    for layout in [Layout::Schema, Layout::Database] {
        let town = Town::new(layout).await;
        let (one, two) = (town.host().await, town.host().await);
        one.create(&tenant("acme")).await.unwrap();
        let (mut of_one, mut of_two) = (one.changes().unwrap(), two.changes().unwrap());
        let mut times = Vec::new();
        for n in 0..40_u8 {
            // What plugins write is told to nobody.
            one.put(&space("acme"), &key("k"), vec![n]).await.unwrap();
            let key = session(&format!("s{n}"));
            one.put(&space("acme"), &key, vec![n]).await.unwrap();
            let made = Instant::now();
            let told = loop {
                // That the tenant was made may come first.
                match next(&mut of_two).await {
                    Notice::Changed(changed) if changed.table == Table::Tenant => {}
                    told => break told,
                }
            };
            times.push(made.elapsed());
            let tenant = Some(toolhost_identity::TenantId::parse("acme").unwrap());
            let (table, told_key) = (Table::Session, Some(key.clone()));
            let expected = RecordChange {
                tenant,
                table,
                key: told_key,
            };
            assert_eq!(told, Notice::Changed(expected));
            let record = two.get(&space("acme"), &key).await.unwrap().unwrap();
            assert_eq!(record.value, [n]);
        }
        times.sort();
        println!(
            "{layout:?}: told after {:?} in the middle, {:?} at most",
            times[20], times[39]
        );
        assert!(of_two.confirmed_at().unwrap().elapsed() < SOON);
        // A host is not told what it did itself.
        let silence = tokio::time::timeout(Duration::from_millis(300), of_one.next()).await;
        assert!(silence.is_err(), "{silence:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_connection_is_gone_is_told_so_and_when_it_hears_again() {
    let town = Town::new(Layout::Schema).await;
    let (one, two) = (town.host().await, town.host().await);
    let mut changes = two.changes().unwrap();
    assert!(changes.confirmed_at().is_some());
    let admin = town.admin("postgres").await;
    let before = Instant::now();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1";
    admin.query(end, &[&town.name]).await.unwrap();
    assert_eq!(next(&mut changes).await, Notice::Lost);
    assert_eq!(next(&mut changes).await, Notice::Resumed);
    assert!(changes.confirmed_at().unwrap() > before);
    let mut tried = one.put(&Space::Host, &session("s"), vec![1]).await;
    for _ in 0..20 {
        if tried.is_ok() {
            break;
        }
        tried = one.put(&Space::Host, &session("s"), vec![1]).await;
    }
    tried.unwrap();
    assert!(
        matches!(next(&mut changes).await, Notice::Changed(changed) if changed.table == Table::Session)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_host_destroys_or_rotates_is_so_for_the_other_within_a_second() {
    let town = Town::new(Layout::Schema).await;
    let (one, first) = town.keyed_host().await;
    let (two, second) = town.keyed_host().await;
    let acme = space("acme");
    one.create(&tenant("acme")).await.unwrap();
    two.put(&acme, &key("k"), vec![1]).await.unwrap();
    let of = acme.clone();
    let held = {
        let second = second.clone();
        tokio::task::spawn_blocking(move || second.get(&of))
            .await
            .unwrap()
            .unwrap()
    };
    let of = acme.clone();
    let rotating = first.clone();
    tokio::task::spawn_blocking(move || rotating.rotate(&of))
        .await
        .unwrap()
        .unwrap();
    until(SOON, || held.current() == Generation(2)).await;
    let destroying = first.clone();
    let destroyed = tokio::task::spawn_blocking(move || destroying.destroy(&tenant("acme")));
    assert!(destroyed.await.unwrap().unwrap());
    // Whoever has it in hand, as the vault does of what it keeps open, has nothing.
    until(SOON, || {
        held.subkey(Generation(1), SubkeyPurpose::Credentials)
            .is_none()
    })
    .await;
    assert!(held.generations().is_empty());
    let locked = two.get(&acme, &key("k")).await.unwrap_err();
    assert!(matches!(locked, StoreError::Locked { .. }), "{locked}");
    // Made again it is another key, for both.
    assert!(one.destroy(&tenant("acme")).await.unwrap());
    assert!(two.create(&tenant("acme")).await.unwrap());
    one.put(&acme, &key("k"), vec![2]).await.unwrap();
    assert_eq!(two.get(&acme, &key("k")).await.unwrap().unwrap().value, [2]);
    assert!(held.generations().is_empty());
}

async fn until(most: Duration, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < most, "not within {most:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_made_again_at_once_by_another_host_is_read_with_its_new_key() {
    let town = Town::new(Layout::Schema).await;
    let (one, two) = (town.host().await, town.host().await);
    for round in 0..5_u8 {
        one.create(&tenant("acme")).await.unwrap();
        one.put(&space("acme"), &key("k"), vec![round])
            .await
            .unwrap();
        let record = two.get(&space("acme"), &key("k")).await.unwrap().unwrap();
        assert_eq!(record.value, [round]);
        two.put(&space("acme"), &key("k"), vec![100 + round])
            .await
            .unwrap();
        assert_eq!(
            one.get(&space("acme"), &key("k"))
                .await
                .unwrap()
                .unwrap()
                .value,
            [100 + round]
        );
        assert!(one.destroy(&tenant("acme")).await.unwrap());
        let unknown = two.get(&space("acme"), &key("k")).await.unwrap_err();
        assert!(
            matches!(unknown, StoreError::UnknownSpace { .. }),
            "{unknown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hosts_that_count_in_one_record_none_loses_a_count() {
    let town = Town::new(Layout::Schema).await;
    let hosts = [town.host().await, town.host().await];
    hosts[0].create(&tenant("acme")).await.unwrap();
    let counters = hosts
        .iter()
        .flat_map(|host| [host.clone(), host.clone()])
        .map(|host| {
            tokio::spawn(async move {
                let mut counted = 0;
                while counted < 50 {
                    let now = host.get(&space("acme"), &key("count")).await.unwrap();
                    let count = now.as_ref().map_or(0, |now| now.value[0]);
                    let expect = now.map_or(Precondition::Absent, |now| {
                        Precondition::Version(now.version)
                    });
                    match host
                        .compare_and_set(&space("acme"), &key("count"), expect, vec![count + 1])
                        .await
                    {
                        Ok(_) => counted += 1,
                        Err(error) => assert_eq!(error, StoreError::Conflict),
                    }
                }
            })
        });
    for counter in counters.collect::<Vec<_>>() {
        counter.await.unwrap();
    }
    let count = hosts[1]
        .get(&space("acme"), &key("count"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((count.value[0], count.version), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_that_several_hosts_make_and_destroy_at_once_are_made_and_destroyed_once() {
    for layout in [Layout::Schema, Layout::Database] {
        let town = Town::new(layout).await;
        let hosts = [town.host().await, town.host().await];
        for _ in 0..2 {
            let at_once = |make: bool| {
                let makers = hosts.iter().flat_map(|host| [host.clone(), host.clone()]);
                let tasks = makers.map(move |host| {
                    tokio::spawn(async move {
                        match make {
                            true => host.create(&tenant("acme")).await,
                            false => host.destroy(&tenant("acme")).await,
                        }
                    })
                });
                let tasks: Vec<_> = tasks.collect();
                async move {
                    let mut done = 0;
                    for task in tasks {
                        done += usize::from(task.await.unwrap().unwrap());
                    }
                    done
                }
            };
            assert_eq!(at_once(true).await, 1, "{layout:?}");
            hosts[1]
                .put(&space("acme"), &key("k"), vec![])
                .await
                .unwrap();
            assert_eq!(at_once(false).await, 1, "{layout:?}");
        }
    }
}
