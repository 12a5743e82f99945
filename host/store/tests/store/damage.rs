//! Bytes flipped, files cut, emptied and zeroed at random places: a space is whole and right, or it
//! is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toolhost_store::{Key, Scan, SledStore, Space, Store, StoreError, Table};

use crate::place::{Place, key, space, tenant};

type Truth = BTreeMap<Vec<u8>, Vec<u8>>;

/// A data directory with three spaces, and what is in each.
async fn furnish(place: &Place) -> BTreeMap<String, Truth> {
    let store = place.open();
    let mut truth = BTreeMap::new();
    for name in ["acme", "globex"] {
        store.create(&tenant(name)).await.unwrap();
    }
    for (at, records) in [
        (Space::Host, 60),
        (space("acme"), 400),
        (space("globex"), 30),
    ] {
        let mut own = Truth::new();
        for n in 0..records {
            let size = if n % 25 == 0 { 20_000 } else { 300 };
            let value: Vec<u8> = (0..size).map(|at| (at * 7 + n) as u8).collect();
            let name = format!("record-{n:05}");
            store.put(&at, &key(&name), value.clone()).await.unwrap();
            own.insert(key(&name).as_bytes().to_vec(), value);
        }
        truth.insert(at.label(), own);
    }
    truth
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.file_name().unwrap() != "lock" {
            found.push(path);
        }
    }
}

/// All of a space, or why not.
async fn read_all(store: &SledStore, at: &Space, truth: &Truth) -> Result<(), StoreError> {
    let mut found = Truth::new();
    let mut scan = Scan::group(Table::Kv, &[b"billing"]).limit(100);
    loop {
        let page = store.scan(at, &scan).await?;
        for one in &page.found {
            found.insert(one.key.as_bytes().to_vec(), one.record.value.clone());
        }
        match page.found.last() {
            Some(last) if page.more => scan = scan.after(last.key.name()),
            _ => break,
        }
    }
    assert!(
        found == *truth,
        "{at} is served with {} of {} records",
        found.len(),
        truth.len()
    );
    for (key, value) in truth {
        let record = store.get(at, &Key::from_bytes(key).unwrap()).await?;
        assert_eq!(
            record.map(|record| record.value).as_ref(),
            Some(value),
            "{at}"
        );
    }
    Ok(())
}

/// Which guard an error names.
fn guard(error: &StoreError) -> String {
    match error {
        StoreError::Corrupt { found, .. } => {
            let kind = found.split([':', ',']).next().unwrap();
            let kind: String = kind.chars().filter(|c| !c.is_ascii_digit()).collect();
            format!(
                "corrupt: {}",
                kind.split_whitespace().collect::<Vec<_>>().join(" ")
            )
        }
        StoreError::Locked { .. } => "locked: the key does not open".to_owned(),
        other => panic!("damage is told as {other}"),
    }
}

#[test]
fn damage_at_random_places_is_refused_or_harmless() {
    let places: u32 = std::env::var("STORE_DAMAGE_PLACES")
        .ok()
        .and_then(|places| places.parse().ok())
        .unwrap_or(60);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = Place::new();
    let truth = runtime.block_on(furnish(&place));
    let mut random = std::env::var("STORE_DAMAGE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x853C_49E6_748F_EA9B_u64);
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below.max(1)
    };
    let mut caught: BTreeMap<(String, String), u32> = BTreeMap::new();
    for round in 0..places {
        let data = place.path(&format!("copy-{round}"));
        copy(&place.data(), &data);
        let mut all = Vec::new();
        files(&data, &mut all);
        // Half of the time in a log, which is most of what there is.
        let logs: Vec<_> = all
            .iter()
            .filter(|path| path.ends_with("db"))
            .cloned()
            .collect();
        let pick = if next(2) == 0 { &logs } else { &all };
        let path = pick[next(pick.len() as u64) as usize].clone();
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len() as u64;
        let kind = match next(6) {
            0 => {
                bytes.truncate(next(length) as usize);
                "cut"
            }
            1 => {
                bytes.clear();
                "emptied"
            }
            2 => {
                let from = next(length) as usize;
                bytes
                    .iter_mut()
                    .skip(from)
                    .take(4_096)
                    .for_each(|byte| *byte = 0);
                "zeroed"
            }
            _ => {
                if let Some(byte) = bytes.get_mut(next(length) as usize) {
                    *byte ^= 1 << next(8);
                }
                "flipped"
            }
        };
        std::fs::write(&path, &bytes).unwrap();
        let name = path.strip_prefix(&data).unwrap().display().to_string();
        let outcomes = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(90), async {
                let (data_dir, keyring) = match place.parts(&data) {
                    Ok(parts) => parts,
                    Err(error) => return vec![guard(&error)],
                };
                let store = match SledStore::open(data_dir, keyring, place.settings) {
                    Ok(store) => store,
                    Err(error) => return vec![guard(&error)],
                };
                let mut outcomes = Vec::new();
                for at in [Space::Host, space("acme"), space("globex")] {
                    let outcome = read_all(&store, &at, &truth[&at.label()]).await;
                    let is_target = match at.tenant() {
                        None => name.contains("host"),
                        Some(tenant) => name.contains(tenant.as_str()),
                    };
                    match outcome {
                        Ok(()) => {}
                        Err(error) => {
                            assert!(
                                is_target,
                                "{name} was damaged and {at} is not served: {error}"
                            );
                            outcomes.push(guard(&error));
                            // It stays refused, and its siblings are served.
                            let again = store.get(&at, &key("record-00001")).await;
                            assert!(again.is_err(), "{at} is served after it was refused");
                            let again = store.put(&at, &key("record-00001"), vec![]).await;
                            assert!(again.is_err(), "{at} is written after it was refused");
                        }
                    }
                }
                outcomes
            })
            .await
            .unwrap_or_else(|_| panic!("{kind} {name}: it hangs"))
        });
        let outcome = outcomes
            .first()
            .cloned()
            .unwrap_or("whole and right".to_owned());
        *caught.entry((outcome, kind.to_owned())).or_default() += 1;
        std::fs::remove_dir_all(&data).unwrap();
    }
    for ((outcome, kind), times) in &caught {
        println!("{times:4}  {kind:8} {outcome}");
    }
}
