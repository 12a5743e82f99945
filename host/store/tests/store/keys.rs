//! The master key, the spaces' keys, and what becomes of them.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use toolhost_policy::Secret;
use toolhost_store::keys::{Generation, KeyFileError, Keyring, MasterKey, SubkeyPurpose};
use toolhost_store::{SledStore, Space, Store, StoreError};

use crate::place::{Place, key, space, tenant};

fn ring(place: &Place) -> Keyring {
    let (master, _) = MasterKey::open_or_create(&place.path("master.key")).unwrap();
    Keyring::open(&place.data(), master).unwrap()
}

fn is_locked<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Locked { .. }))
}

#[test]
fn a_master_key_is_made_once_and_only_its_owner_reads_it() {
    let place = Place::new();
    let path = place.path("master.key");
    assert!(MasterKey::open_or_create(&path).unwrap().1);
    assert!(!MasterKey::open_or_create(&path).unwrap().1);
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    for mode in [0o640, 0o604, 0o644, 0o620] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let refused = MasterKey::open_or_create(&path).unwrap_err();
        assert!(
            matches!(refused, KeyFileError::Readable(_)),
            "{mode:o}: {refused}"
        );
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    MasterKey::open_or_create(&path).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        let refused = MasterKey::open_or_create(&path).unwrap_err();
        assert!(matches!(refused, KeyFileError::Foreign(_)), "{refused}");
    }
}

#[test]
fn a_master_key_that_is_missing_beside_wrapped_keys_is_not_made_anew() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    let path = place.data().join("master.key");
    let (master, _) = MasterKey::open_or_create(&path).unwrap();
    Keyring::open(&place.data(), master)
        .unwrap()
        .create(&Space::Host)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let refused = MasterKey::open_or_create(&path).unwrap_err();
    assert!(matches!(refused, KeyFileError::Missing(_)), "{refused}");
    assert!(!path.exists());
}

#[test]
fn a_text_that_is_no_master_key_is_refused_and_not_repeated() {
    let good = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(MasterKey::from_text(&Secret::from(format!("{good}\n{good}\n"))).is_ok());
    let long = good.repeat(3);
    for text in [
        "",
        "\n",
        "secret",
        "AAAA",
        &good[1..],
        &long,
        "\u{0}\u{0}",
        &format!("{good}\n{good}x"),
    ] {
        let refused = MasterKey::from_text(&Secret::from(text.to_owned())).unwrap_err();
        assert!(matches!(refused, KeyFileError::Form), "{text:?}");
        assert!(!refused.to_string().contains("secret"));
    }
    let key = MasterKey::from_text(&Secret::from(good.to_owned())).unwrap();
    assert!(!format!("{key:?}").contains("AAA"));
}

#[test]
fn a_wrapped_key_is_of_its_space_and_its_master_key() {
    let place = Place::new();
    let keyring = ring(&place);
    keyring.create(&Space::Host).unwrap();
    let acme = keyring.create(&space("acme")).unwrap();
    let globex = keyring.create(&space("globex")).unwrap();
    let records = |key: &toolhost_store::keys::SpaceKey| {
        key.subkey(Generation(1), SubkeyPurpose::Records).unwrap()
    };
    let sealed = records(&acme).seal(b"aad", b"text").unwrap();
    assert_eq!(
        records(&acme).open(b"aad", &sealed).unwrap().as_slice(),
        b"text"
    );
    assert!(records(&globex).open(b"aad", &sealed).is_err());
    assert!(records(&acme).open(b"other", &sealed).is_err());
    for purpose in [SubkeyPurpose::Digest, SubkeyPurpose::Credentials] {
        let other = acme.subkey(Generation(1), purpose).unwrap();
        assert!(other.open(b"aad", &sealed).is_err(), "{purpose:?}");
        assert_ne!(other.mac(&[b"x"]), records(&acme).mac(&[b"x"]));
    }
    assert_ne!(
        records(&acme).mac(&[b"a", b"b"]),
        records(&acme).mac(&[b"ab"])
    );
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(records(&acme).open(b"aad", &changed).is_err());
        assert!(records(&acme).open(b"aad", &sealed[..at]).is_err());
    }
    // Another tenant's file, the host's file, every byte changed, and another master key.
    let (own, other) = (
        keyring.path(&space("acme")).unwrap(),
        keyring.path(&space("globex")).unwrap(),
    );
    let bytes = std::fs::read(&own).unwrap();
    for foreign in [
        std::fs::read(&other).unwrap(),
        std::fs::read(keyring.path(&Space::Host).unwrap()).unwrap(),
        vec![],
    ] {
        std::fs::write(&own, foreign).unwrap();
        assert!(is_locked(ring(&place).get(&space("acme"))));
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        std::fs::write(&own, changed).unwrap();
        assert!(is_locked(ring(&place).get(&space("acme"))), "byte {at}");
    }
    std::fs::write(&own, vec![0; 1 << 20]).unwrap();
    assert!(is_locked(ring(&place).get(&space("acme"))));
    std::fs::write(&own, &bytes).unwrap();
    ring(&place).get(&space("acme")).unwrap();
    std::fs::remove_file(place.path("master.key")).unwrap();
    let (master, _) = MasterKey::open_or_create(&place.path("master.key")).unwrap();
    assert!(is_locked(Keyring::open(&place.data(), master)));
}

#[test]
fn a_destroyed_key_is_gone_at_once_for_whoever_holds_it() {
    let place = Place::new();
    let keyring = ring(&place);
    let held = keyring.create(&space("acme")).unwrap();
    let path = keyring.path(&space("acme")).unwrap();
    assert!(path.exists());
    assert!(keyring.destroy(&tenant("acme")).unwrap());
    assert!(
        held.subkey(Generation(1), SubkeyPurpose::Credentials)
            .is_none()
    );
    assert!(held.generations().is_empty());
    assert!(is_locked(keyring.get(&space("acme"))));
    assert!(!path.exists());
    assert!(!keyring.destroy(&tenant("acme")).unwrap());
    // The next one is another.
    let again = keyring.create(&space("acme")).unwrap();
    assert!(held.subkey(Generation(1), SubkeyPurpose::Records).is_none());
    assert!(
        again
            .subkey(Generation(1), SubkeyPurpose::Records)
            .is_some()
    );
}

#[test]
fn a_rotation_reaches_all_holders_and_a_retired_generation_opens_nothing() {
    let place = Place::new();
    let keyring = ring(&place);
    let held = keyring.create(&space("acme")).unwrap();
    assert_eq!(keyring.rotate(&space("acme")).unwrap(), Generation(2));
    assert_eq!(held.current(), Generation(2));
    assert!(Arc::ptr_eq(&held, &keyring.get(&space("acme")).unwrap()));
    assert!(held.subkey(Generation(1), SubkeyPurpose::Records).is_some());
    keyring.retire(&space("acme"), Generation(1)).unwrap();
    keyring.retire(&space("acme"), Generation(2)).unwrap();
    for key in [held, ring(&place).get(&space("acme")).unwrap()] {
        for purpose in [
            SubkeyPurpose::Records,
            SubkeyPurpose::Digest,
            SubkeyPurpose::Credentials,
        ] {
            assert!(key.subkey(Generation(1), purpose).is_none());
            assert!(
                key.subkey(Generation(2), purpose).is_some(),
                "the current one stays"
            );
        }
    }
    // The number is not used again.
    assert_eq!(keyring.rotate(&space("acme")).unwrap(), Generation(3));
}

#[test]
fn a_master_key_is_rotated_step_by_step_and_goes_on_after_a_crash() {
    let place = Place::new();
    let path = place.path("master.key");
    let spaces: Vec<_> = (0..6).map(|n| space(&format!("t{n}"))).collect();
    let keyring = ring(&place);
    let mac = |keyring: &Keyring, space: &Space| {
        let key = keyring.get(space).unwrap();
        key.subkey(Generation(1), SubkeyPurpose::Records)
            .unwrap()
            .mac(&[b"x"])
    };
    keyring.create(&Space::Host).unwrap();
    let before: Vec<_> = spaces
        .iter()
        .map(|space| keyring.create(space).map(|_| mac(&keyring, space)).unwrap())
        .collect();
    let old = std::fs::read(&path).unwrap();
    let master = MasterKey::begin_rotation(&path).unwrap();
    assert!(master.is_rotating());
    // Cut short: some are wrapped with the new one, some with the old one.
    let old_files: Vec<_> = spaces[..3]
        .iter()
        .map(|space| std::fs::read(keyring.path(space).unwrap()).unwrap())
        .collect();
    assert_eq!(keyring.rewrap(master).unwrap().rewrapped, 7);
    for (space, bytes) in spaces.iter().zip(old_files) {
        std::fs::write(keyring.path(space).unwrap(), bytes).unwrap();
    }
    let reopened = ring(&place);
    for (space, before) in spaces.iter().zip(&before) {
        assert_eq!(mac(&reopened, space), *before);
    }
    // Going on begins no second rotation.
    let text = std::fs::read(&path).unwrap();
    let master = MasterKey::begin_rotation(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), text);
    let done = reopened.rewrap(master).unwrap();
    assert_eq!((done.rewrapped, done.already), (3, 4));
    let master = MasterKey::finish_rotation(&path).unwrap();
    assert!(!master.is_rotating());
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let keyring = ring(&place);
    for (space, before) in spaces.iter().zip(&before) {
        assert_eq!(mac(&keyring, space), *before);
    }
    // The old one opens nothing any more.
    let old = MasterKey::from_text(&Secret::new(old)).unwrap();
    assert!(is_locked(Keyring::open(&place.data(), old)));
}

/// Values that were read are kept open in memory, and go with the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_was_read_is_not_told_after_its_key_was_destroyed() {
    let place = Place::new();
    let (data_dir, keyring) = place.parts(&place.data()).unwrap();
    let store = SledStore::open(data_dir, keyring.clone(), place.settings).unwrap();
    store.create(&tenant("acme")).await.unwrap();
    store
        .put(&space("acme"), &key("k"), b"v".to_vec())
        .await
        .unwrap();
    for _ in 0..3 {
        assert!(
            store
                .get(&space("acme"), &key("k"))
                .await
                .unwrap()
                .is_some()
        );
    }
    keyring.destroy(&tenant("acme")).unwrap();
    assert!(is_locked(store.get(&space("acme"), &key("k")).await));
}
