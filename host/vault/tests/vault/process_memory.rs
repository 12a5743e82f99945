//! After a secret was set, used, rotated, removed and dropped, no copy of it is left in the
//! process's memory (T49).
//!
//! A child does that with secrets that it gets masked; its parent, which alone knows them, reads
//! the child's memory.

use crate::support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use support::{House, by, key, name, space};
use toolhost_policy::Secret;
use toolhost_vault::{CredentialProvider, NewCredential, hygiene};

const CHILD: &str = "TOOLHOST_MEMORY_CHILD";
const PLANTED: usize = 20;
const LENGTH: usize = 32;

/// Kept apart from the secrets themselves, so that the child never holds one that the vault did not
/// make.
const MASK: u8 = 0xa5;

fn planted() -> Vec<String> {
    let mut state = u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..PLANTED)
        .map(|_| format!("{:016x}{:016X}", next(), next()))
        .collect()
}

/// Straight into the memory of the secret.
fn unmasked(masked: &[u8]) -> Secret {
    Secret::new(masked.iter().map(|byte| byte ^ MASK).collect())
}

fn given(masked: &[u8]) -> NewCredential {
    NewCredential {
        secret: unmasked(masked),
        attributes: None,
        expires_at: None,
    }
}

/// A piece of work with a good deal of other memory traffic, as a host has.
async fn use_and_drop(masked: &[Vec<u8>]) {
    let house = House::new().await;
    let (vault, acme) = (house.vault(), space("acme"));
    for (number, masked) in masked.iter().enumerate() {
        let name = name(&format!("c{number}"));
        vault.set(&acme, &name, given(masked), &by()).await.unwrap();
        let held = vault
            .get(&key("acme", &format!("c{number}")))
            .await
            .unwrap();
        assert_eq!(held.secret.len(), LENGTH);
        vault
            .rotate(&acme, &name, given(masked), &by())
            .await
            .unwrap();
        vault.forget_tenant(&acme);
        assert!(vault.get(&key("acme", &format!("c{number}"))).await.is_ok());
    }
    house
        .keys
        .rotate(&toolhost_store::Space::Tenant(acme.clone()))
        .unwrap();
    assert_eq!(vault.reseal(&acme, &by()).await.unwrap().resealed, PLANTED);
    assert_eq!(
        vault.list(&acme, &by()).await.unwrap().credentials.len(),
        PLANTED
    );
    for number in 0..PLANTED {
        assert!(vault.get(&key("acme", &format!("c{number}"))).await.is_ok());
        let name = name(&format!("c{number}"));
        assert!(vault.remove(&acme, &name, &by()).await.unwrap());
        assert!(
            vault
                .get(&key("acme", &format!("c{number}")))
                .await
                .is_err()
        );
    }
}

/// Runs in a process of its own.
#[test]
#[ignore = "no_copy_of_a_secret_is_left_in_memory runs it"]
fn child() {
    let Ok(kind) = std::env::var(CHILD) else {
        return;
    };
    let mut masked = vec![vec![0; LENGTH]; PLANTED];
    let mut input = std::io::stdin().lock();
    for one in &mut masked {
        input.read_exact(one).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(use_and_drop(&masked));
    let kept = (kind == "keeps").then(|| unmasked(&masked[7]));
    std::io::stderr().write_all(b"done\n").unwrap();
    // The parent reads now, until it closes the input.
    let mut rest = [0; 1];
    let _ = input.read(&mut rest);
    drop(kept);
}

fn start(kind: &str, planted: &[String]) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process_memory::child",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD, kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for text in planted {
        let masked: Vec<u8> = text.bytes().map(|byte| byte ^ MASK).collect();
        child.stdin.as_mut().unwrap().write_all(&masked).unwrap();
    }
    let mut lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap() == "done"),
        "the child failed"
    );
    child
}

/// Which planted secrets are in the memory of a process, in any spelling; and how many bytes were
/// read.
fn found(child: &Child, planted: &[String]) -> (Vec<String>, usize) {
    let needles: Vec<(String, Vec<u8>)> = planted.iter().flat_map(|text| spellings(text)).collect();
    let memory = File::open(format!("/proc/{}/mem", child.id())).unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", child.id())).unwrap();
    let finder = aho_corasick::AhoCorasick::new(needles.iter().map(|(_, needle)| needle)).unwrap();
    let (mut seen, mut read) = (vec![], 0);
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (from, to) = (
            u64::from_str_radix(from, 16).unwrap(),
            u64::from_str_radix(to, 16).unwrap(),
        );
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            read += bytes.len();
            let hits = finder.find_overlapping_iter(&bytes);
            seen.extend(hits.map(|hit| needles[hit.pattern().as_usize()].0.clone()));
        }
    }
    (seen, read)
}

/// Needles are pieces of each spelling, so that half an overwritten copy is found too.
fn spellings(text: &str) -> Vec<(String, Vec<u8>)> {
    let raw = text.as_bytes();
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut needles = vec![
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
        ("reversed", raw.iter().rev().copied().collect()),
        (
            "percent",
            raw.iter()
                .flat_map(|byte| format!("%{byte:02X}").into_bytes())
                .collect(),
        ),
        ("UTF-16", raw.iter().flat_map(|byte| [*byte, 0]).collect()),
        (
            "JSON",
            raw.iter()
                .flat_map(|byte| format!("\\u{byte:04x}").into_bytes())
                .collect(),
        ),
    ];
    for skipped in 0..3 {
        let rest = &raw[skipped..skipped + 27];
        needles.push(("base64", STANDARD.encode(rest).into_bytes()));
        needles.push(("base64 for URLs", URL_SAFE_NO_PAD.encode(rest).into_bytes()));
    }
    for start in (0..=LENGTH - 12).step_by(4) {
        needles.push(("raw", raw[start..start + 12].to_vec()));
    }
    let named = |(kind, needle): (&str, Vec<u8>)| (format!("{text}, {kind}"), needle);
    needles.into_iter().map(named).collect()
}

#[test]
fn no_copy_of_a_secret_is_left_in_memory() {
    let planted = planted();
    let mut child = start("drops", &planted);
    let (seen, read) = found(&child, &planted);
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(read > 100_000, "only {read} bytes were read");
    assert!(seen.is_empty(), "{} copies: {seen:#?}", seen.len());
}

#[test]
fn a_secret_that_is_kept_is_found_so_the_search_works() {
    let planted = planted();
    let mut child = start("keeps", &planted);
    let (seen, _) = found(&child, &planted);
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(
        !seen.is_empty() && seen.iter().all(|seen| seen.starts_with(&planted[7])),
        "{seen:#?}"
    );
}

/// Runs in a process of its own: it cannot be taken back.
#[test]
#[ignore = "a_hardened_process_leaves_no_core_and_lets_nobody_in runs it"]
fn hardened_child() {
    hygiene::harden().unwrap();
    let core = rustix::process::getrlimit(rustix::process::Resource::Core);
    assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
    let dumpable = rustix::process::dumpable_behavior().unwrap();
    assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
    // It belongs to root now, so a debugger of the same user is refused.
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self/mem").unwrap());
    assert_eq!(owner, 0);
    hygiene::harden().expect("again is no harm");
}

#[test]
fn a_hardened_process_leaves_no_core_and_lets_nobody_in() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process_memory::hardened_child", "--ignored"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
