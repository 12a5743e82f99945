//! A process with eight writers that is killed at random moments: nothing that it acknowledged is
//! missing.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use toolhost_store::{Space, Store};

use crate::place::{Place, key, space, tenant};

pub(crate) const WRITERS: u64 = 8;
/// Records that a writer goes over again and again.
pub(crate) const SLOTS: u64 = 20;

/// What a writer's n-th operation does: which record, and its value, or none where it removes it.
pub(crate) fn operation(writer: u64, n: u64) -> (String, Option<Vec<u8>>) {
    let slot = n.wrapping_mul(0x9E37_79B9) % SLOTS;
    let size = match n % 11 {
        0 => 20_000,
        1 => 8_000,
        _ => 100,
    };
    let value = (n % 7 != 6).then(|| {
        let mut value = format!("{writer}/{n}/").into_bytes();
        value.resize(size, (n % 251) as u8);
        value
    });
    (format!("w{writer}-{slot}"), value)
}

pub(crate) fn space_of(writer: u64) -> Space {
    match writer % 3 {
        0 => Space::Host,
        1 => space("acme"),
        _ => space("globex"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below, and killed"]
async fn writer() {
    let directory = PathBuf::from(std::env::var_os("STORE_CRASH_DIR").unwrap());
    let from: u64 = std::env::var("STORE_CRASH_FROM").unwrap().parse().unwrap();
    let place = Place::new();
    let data_dir = crate::place::open_data_dir(&directory).unwrap();
    let master = directory.with_file_name("master.key");
    let (master, _) = toolhost_store::keys::MasterKey::open_or_create(&master).unwrap();
    let keyring = Arc::new(toolhost_store::keys::Keyring::open(&directory, master).unwrap());
    let store =
        Arc::new(toolhost_store::SledStore::open(data_dir, keyring, place.settings).unwrap());
    write_until_killed(store, from).await;
}

/// Writes as several at once from a number on, and says what is acknowledged.
pub(crate) async fn write_until_killed(store: Arc<dyn Store>, from: u64) {
    for name in ["acme", "globex"] {
        store.create(&tenant(name)).await.unwrap();
    }
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in from.. {
                let (name, value) = operation(writer, n);
                match value {
                    Some(value) => drop(
                        store
                            .put(&space_of(writer), &key(&name), value)
                            .await
                            .unwrap(),
                    ),
                    None => store.delete(&space_of(writer), &key(&name)).await.unwrap(),
                }
                let line = format!("ack {writer} {n}\n");
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Runs the writers until they are killed, and says how far each of them got.
pub(crate) fn run_and_kill(
    writer: &str,
    started: &[(&str, String)],
    from: u64,
    after: Duration,
) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([writer, "--exact", "--ignored", "--nocapture"])
        .envs(started.iter().map(|(name, value)| (name, value)))
        .env("STORE_CRASH_FROM", from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = vec![from; WRITERS as usize];
    let mut note = |line: &str| {
        // The harness puts its own words before the first one.
        let Some(at) = line.find("ack ") else {
            return false;
        };
        let mut words = line[at + 4..].split(' ');
        let (writer, n) = (
            words.next().and_then(|w| w.parse::<usize>().ok()),
            words.next(),
        );
        if let (Some(writer), Some(n)) = (writer, n.and_then(|n| n.parse::<u64>().ok())) {
            next[writer] = n + 1;
        }
        true
    };
    while !note(&lines.next().expect("the writers begin").unwrap()) {}
    let id = child.id();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(after);
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(id as i32).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
    });
    // A last line without its end was not acknowledged.
    for line in lines.map_while(Result::ok) {
        note(&line);
    }
    killer.join().unwrap();
    child.wait().unwrap();
    next
}

#[test]
fn what_was_acknowledged_outlives_kill_9() {
    let rounds: u64 = std::env::var("STORE_CRASH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(30);
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut expected: HashMap<(u64, String), Option<Vec<u8>>> = HashMap::new();
    let (mut acknowledged, mut in_flight_made) = (0, 0);
    let mut random = 0x2545_F491_4F6C_DD1D_u64 ^ u64::from(std::process::id());
    for round in 0..rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let from = round * 1_000_000;
        let started = [("STORE_CRASH_DIR", place.data().display().to_string())];
        let next = run_and_kill(
            "crash::writer",
            &started,
            from,
            Duration::from_micros(random % 150_000),
        );
        let store = place.open();
        runtime.block_on(async {
            for report in store.check().await.unwrap() {
                report.outcome.unwrap();
            }
            for writer in 0..WRITERS {
                let next = next[writer as usize];
                acknowledged += next - from;
                for n in from..next {
                    let (name, value) = operation(writer, n);
                    expected.insert((writer, name), value);
                }
                // At most one more was on its way: it was made or not made.
                let (in_flight, value) = operation(writer, next);
                for slot in 0..SLOTS {
                    let name = format!("w{writer}-{slot}");
                    let found = store.get(&space_of(writer), &key(&name)).await.unwrap();
                    let found = found.map(|record| record.value);
                    let known = expected.get(&(writer, name.clone())).cloned().flatten();
                    if found == known {
                        continue;
                    }
                    assert!(
                        name == in_flight && found == value,
                        "round {round}: {name} of writer {writer} is not what was acknowledged"
                    );
                    in_flight_made += 1;
                    expected.insert((writer, name), found);
                }
            }
        });
        drop(store);
    }
    println!(
        "{rounds} rounds: {acknowledged} acknowledged, none missing; {in_flight_made} more had been made"
    );
    assert!(
        acknowledged > rounds * 8,
        "too few writes to tell: {acknowledged}"
    );
}
