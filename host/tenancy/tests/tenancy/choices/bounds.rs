//! What there is an end to.

use toolhost_store::{Space, Store as _};
use toolhost_tenancy::{ChoiceError, MAX_OWNED_SESSIONS, Reach, SESSION_IDLE, SessionLogItem};

use crate::support::town::{Town, space};

#[tokio::test]
async fn nobody_takes_all_of_a_tenants_sessions_and_idle_ones_make_room() {
    let town = Town::new(Reach::Tree).await;
    let greedy = town.owner().await.principal;
    let (mut first, mut second) = (None, None);
    for n in 0..MAX_OWNED_SESSIONS {
        let session = town.sessions.create(&greedy).await.unwrap();
        match n {
            0 => first = Some(session),
            1 => {
                second = Some(session);
                // Uses are told apart by the second.
                town.clock.pass(1);
            }
            _ => {}
        }
    }
    // The longest idle one gives way, with what was kept of it.
    let (first, second) = (first.unwrap(), second.unwrap());
    town.clock.pass(1);
    let log = town.sessions.log(&second, &greedy).await.unwrap();
    log.append("", b"kept").await.unwrap();
    assert!(
        town.sessions.binding(&first, &greedy).await.is_ok(),
        "a use of it"
    );
    assert!(town.sessions.create(&greedy).await.is_ok());
    assert!(town.sessions.binding(&first, &greedy).await.is_ok());
    assert_eq!(
        town.sessions.binding(&second, &greedy).await.unwrap_err(),
        ChoiceError::Unknown
    );
    let mut events = log.from_start().await.unwrap();
    assert_eq!(
        events.try_next().await.unwrap(),
        Some(SessionLogItem::Ended)
    );
    assert_eq!(
        town.sessions.list(&greedy).await.unwrap().len(),
        MAX_OWNED_SESSIONS
    );
    let other = town.who("otto", "OWNER", Some("acme")).await.principal;
    assert!(town.sessions.create(&other).await.is_ok());
    assert!(
        town.sessions.binding(&first, &greedy).await.is_ok(),
        "nobody else's makes room"
    );
    town.clock.pass(SESSION_IDLE);
    let greedy = town.owner().await.principal;
    assert!(town.sessions.create(&greedy).await.is_ok());
    assert_eq!(town.sessions.list(&greedy).await.unwrap().len(), 1);
    // The other's idle one goes with the sweep.
    let acme = Space::Tenant(space("acme"));
    assert_eq!(town.sessions.sweep(&acme).await, Ok(1));
    assert_eq!(town.sessions.sweep(&acme).await, Ok(0));
}

#[tokio::test]
async fn many_sessions_made_at_once_are_all_made() {
    let town = std::sync::Arc::new(Town::new(Reach::Tree).await);
    let owner = town.owner().await.principal;
    let making = (0..40).map(|_| {
        let (town, owner) = (town.clone(), owner.clone());
        tokio::spawn(async move { town.sessions.create(&owner).await.unwrap() })
    });
    for task in making.collect::<Vec<_>>() {
        let id = task.await.unwrap();
        town.sessions.end(&id, &owner).await.unwrap();
    }
    assert!(town.sessions.list(&owner).await.unwrap().is_empty());
}

#[tokio::test]
async fn there_is_an_end_to_the_sessions_of_a_tenant() {
    use toolhost_store::{Key, Table};
    use toolhost_tenancy::MAX_SESSIONS_PER_TENANT;
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await.principal;
    let acme = Space::Tenant(space("acme"));
    let count = Key::new(Table::Session, &[b"sessions"], b"").unwrap();
    let full = async |count_of: u64| {
        town.store
            .put(&acme, &count, count_of.to_be_bytes().to_vec())
            .await
            .unwrap();
        town.sessions.create(&owner).await
    };
    assert_eq!(
        full(MAX_SESSIONS_PER_TENANT).await.unwrap_err(),
        ChoiceError::Full
    );
    assert!(full(MAX_SESSIONS_PER_TENANT - 1).await.is_ok());
    // The longest idle of all gives way to one more of anybody's.
    let late = town.who("otto", "OWNER", Some("acme")).await.principal;
    assert!(town.sessions.create(&late).await.is_ok());
    assert_eq!(town.sessions.list(&owner).await.unwrap().len(), 0);
    // Another tenant's are counted for themselves.
    let otto = town.who("otto", "ADMIN", Some("globex")).await.principal;
    assert!(town.sessions.create(&otto).await.is_ok());
}
