//! What happened in a session, for a reader that lost its connection: E26, and T28 for its ids.

use crate::support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use support::town::{Town, space};
use toolhost_identity::Principal;
use toolhost_store::{Key, Scan, Space, Store, Table};
use toolhost_tenancy::{
    ChoiceError, EventReader, MAX_CLIENT_BYTES, MAX_EVENT_BYTES, MAX_EVENTS_PER_SESSION,
    MAX_EVENTS_PER_TENANT_BYTES, MAX_SESSION_EVENT_BYTES, Reach, SESSION_IDLE, SessionId,
    SessionLog, SessionLogItem,
};

async fn begun(town: &Town, principal: &Arc<Principal>) -> (SessionId, SessionLog) {
    let id = town.sessions.create(principal).await.unwrap();
    let log = town.sessions.log(&id, principal).await.unwrap();
    (id, log)
}

/// The next thing, which is there already.
async fn now(reader: &mut EventReader) -> SessionLogItem {
    let next = tokio::time::timeout(Duration::from_secs(5), reader.next()).await;
    next.unwrap().unwrap()
}

fn text(happened: &SessionLogItem) -> String {
    match happened {
        SessionLogItem::Event(event) => String::from_utf8(event.data.clone()).unwrap(),
        other => panic!("no event: {other:?}"),
    }
}

async fn records(town: &Town) -> usize {
    let mut count = 0;
    for group in [b"heads".as_slice(), b"events", b"clients"] {
        let scan = Scan::group(Table::SessionEvent, &[group]);
        let page = town
            .store
            .scan(&Space::Tenant(space("acme")), &scan)
            .await
            .unwrap();
        count += page.found.len();
    }
    count
}

#[tokio::test]
async fn a_reader_goes_on_after_the_event_that_it_saw_last() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let (_, log) = begun(&town, &olga).await;
    let mut ids = vec![];
    for n in 0..5 {
        ids.push(
            log.append("", format!("event {n}").as_bytes())
                .await
                .unwrap(),
        );
    }
    let mut reader = log.read_after(&ids[1]);
    assert_eq!(text(&now(&mut reader).await), "event 2");
    assert_eq!(reader.at(), ids[2]);
    // Another host on the same store goes on with the same id, as text.
    let (neighbour, _) = town.neighbour(Some(500));
    let (id, _) = (town.sessions.list(&olga).await.unwrap()[0].id.clone(), ());
    let there = neighbour.log(&id, &olga).await.unwrap();
    let at = there.parse(&reader.at().to_string()).unwrap();
    let mut other = there.read_after(&at);
    for n in 3..5 {
        assert_eq!(text(&now(&mut other).await), format!("event {n}"));
    }
    assert_eq!(other.try_next().await.unwrap(), None);
    let waiting = tokio::spawn(async move { now(&mut other).await });
    log.append("", b"seen by both").await.unwrap();
    assert_eq!(text(&waiting.await.unwrap()), "seen by both");
}

#[tokio::test]
async fn two_hosts_write_one_order() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let (id, here) = begun(&town, &olga).await;
    let (neighbour, _) = town.neighbour(Some(500));
    let there = neighbour.log(&id, &olga).await.unwrap();
    let write = |log: SessionLog, who: &'static str| async move {
        for n in 0..20 {
            log.append("", format!("{who} {n}").as_bytes())
                .await
                .unwrap();
        }
    };
    futures::join!(write(here.clone(), "here"), write(there.clone(), "there"));
    let read = async |log: &SessionLog| {
        let mut reader = log.from_start().await.unwrap();
        let mut all = vec![];
        while let Some(happened) = reader.try_next().await.unwrap() {
            all.push(text(&happened));
        }
        all
    };
    let (one, other) = (read(&here).await, read(&there).await);
    assert_eq!((one.len(), &one), (40, &other));
    for who in ["here", "there"] {
        let own: Vec<&String> = one.iter().filter(|text| text.starts_with(who)).collect();
        let wanted: Vec<String> = (0..20).map(|n| format!("{who} {n}")).collect();
        assert_eq!(own, wanted.iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_id_of_another_session_is_none_of_this_one() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let ((_, one), (_, other)) = (begun(&town, &olga).await, begun(&town, &olga).await);
    let id = one.append("", b"mine").await.unwrap().to_string();
    other.append("", b"also mine").await.unwrap();
    assert!(one.parse(&id).is_some() && other.parse(&id).is_none());
    let tag = id.split_once('-').unwrap().1;
    for odd in [
        "",
        "-",
        "1",
        "x-00000000",
        &format!("+1-{tag}"),
        &format!("01-{tag}"),
        &format!("1-{tag} "),
    ] {
        assert!(one.parse(odd).is_none(), "{odd}");
    }
}

/// A person's token with another tenant claim is another owner (E25).
#[tokio::test]
async fn events_of_a_session_are_at_no_other_owners_place() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let (id, log) = begun(&town, &olga).await;
    log.append("", b"a secret").await.unwrap();
    for other in [
        town.who("otto", "SUPERADMIN", Some("acme")).await,
        town.who("olga", "OWNER", Some("acme-eu")).await,
        town.who("olga", "SUPERADMIN", None).await,
    ] {
        let theirs = town.sessions.log(&id, &other.principal).await.unwrap();
        let mut reader = theirs.from_start().await.unwrap();
        assert_eq!(now(&mut reader).await, SessionLogItem::Ended);
        assert_eq!(
            theirs.append("", b"forged").await.unwrap_err(),
            ChoiceError::Unknown
        );
    }
    let mut own = log.from_start().await.unwrap();
    assert_eq!(text(&now(&mut own).await), "a secret");
    assert_eq!(own.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_what_is_gone_is_said() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let (_, log) = begun(&town, &olga).await;
    let first = log.append("", b"first").await.unwrap();
    for n in 0..MAX_EVENTS_PER_SESSION + 10 {
        log.append("", format!("{n}").as_bytes()).await.unwrap();
    }
    assert_eq!(records(&town).await as u64, 1 + MAX_EVENTS_PER_SESSION);
    let mut reader = log.read_after(&first);
    let SessionLogItem::Lost(at) = now(&mut reader).await else {
        panic!("nothing was said")
    };
    // Whoever begins again there is told once.
    let mut again = log.read_after(&at);
    assert_eq!(text(&now(&mut again).await), "10");
    assert_eq!(text(&now(&mut reader).await), "10");

    assert_eq!(
        log.append("", &vec![0; MAX_EVENT_BYTES + 1])
            .await
            .unwrap_err(),
        ChoiceError::TooLong
    );
    for _ in 0..5 {
        log.append("", &vec![b'x'; MAX_EVENT_BYTES / 2])
            .await
            .unwrap();
    }
    let scan = Scan::group(Table::SessionEvent, &[b"events"]);
    let page = town
        .store
        .scan(&Space::Tenant(space("acme")), &scan)
        .await
        .unwrap();
    let bytes: usize = page
        .found
        .iter()
        .map(|found| found.record.value.len())
        .sum();
    assert!(bytes as u64 <= MAX_SESSION_EVENT_BYTES, "{bytes}");
    assert_eq!(
        log.keep_client(&vec![0; MAX_CLIENT_BYTES + 1])
            .await
            .unwrap_err(),
        ChoiceError::TooLong
    );
}

/// The counts of a tenant's events, in bytes, as the store has them.
async fn counts(town: &Town) -> Vec<(Key, u64)> {
    let scan = Scan::group(Table::SessionEvent, &[b"counts"]);
    let page = town
        .store
        .scan(&Space::Tenant(space("acme")), &scan)
        .await
        .unwrap();
    let count = |found: toolhost_store::KeyedRecord| {
        let bytes = found.record.value.as_slice().try_into().unwrap();
        (found.key, u64::from_be_bytes(bytes))
    };
    page.found.into_iter().map(count).collect()
}

async fn counted(town: &Town) -> u64 {
    counts(town).await.iter().map(|(_, bytes)| bytes).sum()
}

#[tokio::test]
async fn every_write_counts_what_is_kept_on_all_hosts_together() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let (neighbour, _) = town.neighbour(Some(500));
    let mut ids = vec![];
    for n in 0..20_u8 {
        let (id, here) = begun(&town, &olga).await;
        let there = neighbour.log(&id, &olga).await.unwrap();
        let event = vec![n; 1_000];
        let (one, other) = futures::join!(here.append("", &event), there.append("", &event));
        assert!(one.is_ok() && other.is_ok());
        ids.push(id);
    }
    let all = counted(&town).await;
    assert!((40_000..60_000).contains(&all), "{all}");
    for id in ids {
        town.sessions.end(&id, &olga).await.unwrap();
    }
    assert_eq!((counted(&town).await, records(&town).await), (0, 0));
}

#[tokio::test]
async fn an_event_that_would_go_past_the_tenants_bound_takes_the_place_of_those_of_silent_sessions()
{
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let acme = Space::Tenant(space("acme"));
    let large = vec![b'x'; 200 << 10];
    // Until two sessions are counted in one place.
    let mut by_part: HashMap<Key, SessionLog> = HashMap::new();
    let (silent, log, part) = loop {
        let before = counts(&town).await;
        let (_, log) = begun(&town, &olga).await;
        log.append("", &large).await.unwrap();
        town.clock.pass(1);
        let after = counts(&town).await;
        let changed = after
            .into_iter()
            .find(|count| !before.contains(count))
            .unwrap();
        if let Some(silent) = by_part.insert(changed.0.clone(), log.clone()) {
            break (silent, log, changed.0);
        }
    };
    let bound = MAX_EVENTS_PER_TENANT_BYTES / 16;
    let fill = async |bytes: u64| {
        let value = bytes.to_be_bytes().to_vec();
        town.store.put(&acme, &part, value).await.unwrap();
    };
    let of_part = async || {
        counts(&town)
            .await
            .into_iter()
            .find(|count| count.0 == part)
            .unwrap()
            .1
    };
    let mut reader = silent.from_start().await.unwrap();
    fill(bound - 1_000).await;
    log.append("", &large).await.unwrap();
    assert!(of_part().await <= bound);
    assert!(
        matches!(now(&mut reader).await, SessionLogItem::Lost(_)),
        "the silent one's went"
    );
    assert_eq!(
        log.from_start()
            .await
            .unwrap()
            .try_next()
            .await
            .unwrap()
            .map(|event| text(&event).len()),
        Some(large.len())
    );
    // Where nothing can go, nothing is written.
    fill(bound - 1_000).await;
    assert_eq!(
        log.append("", &vec![0; 4_000]).await.unwrap_err(),
        ChoiceError::EventsFull
    );
    assert_eq!(of_part().await, bound - 1_000);
}

/// A place after the last event is none: the store is older than what the reader saw.
#[tokio::test]
async fn an_id_from_the_future_is_lost_and_not_waited_for() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let (_, log) = begun(&town, &olga).await;
    let id = log.append("", b"one").await.unwrap().to_string();
    let tag = id.split_once('-').unwrap().1;
    for seq in [7, u64::MAX] {
        let ahead = log.parse(&format!("{seq}-{tag}")).unwrap();
        let mut reader = log.read_after(&ahead);
        assert!(matches!(now(&mut reader).await, SessionLogItem::Lost(_)));
        assert_eq!(text(&now(&mut reader).await), "one");
    }
}

#[tokio::test]
async fn events_go_with_their_session() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let (id, log) = begun(&town, &olga).await;
    log.append("", b"one").await.unwrap();
    log.keep_client(b"{}").await.unwrap();
    let mut reader = log.from_now().await.unwrap();
    let waiting = tokio::spawn(async move { now(&mut reader).await });
    town.sessions.end(&id, &olga).await.unwrap();
    assert_eq!(waiting.await.unwrap(), SessionLogItem::Ended);
    assert_eq!(records(&town).await, 0);
    assert_eq!(
        log.append("", b"late").await.unwrap_err(),
        ChoiceError::Unknown
    );

    let (_, log) = begun(&town, &olga).await;
    log.append("", b"one").await.unwrap();
    log.keep_client(b"{}").await.unwrap();
    town.clock.pass(SESSION_IDLE);
    let mut reader = log.from_now().await.unwrap();
    assert_eq!(now(&mut reader).await, SessionLogItem::Ended);
    assert_eq!(
        town.sessions
            .sweep(&Space::Tenant(space("acme")))
            .await
            .unwrap(),
        1
    );
    assert_eq!(records(&town).await, 0);
}

#[tokio::test]
async fn a_reader_is_no_use_of_its_session() {
    let town = Town::new(Reach::Tree).await;
    let olga = town.owner().await.principal;
    let (id, log) = begun(&town, &olga).await;
    let mut reader = log.from_now().await.unwrap();
    for _ in 0..3 {
        town.clock.pass(SESSION_IDLE / 3);
        let _nothing = reader.try_next().await.unwrap();
    }
    assert_eq!(
        reader.try_next().await.unwrap(),
        Some(SessionLogItem::Ended)
    );
    assert!(town.sessions.show(&id, &olga).await.is_err());
}
