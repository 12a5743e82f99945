//! What the vault leaves in a data directory: no secret, whatever was changed or removed; and it is
//! there again after the process has ended (T48).

use crate::support;

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use support::{by, key, name, new, space};
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::{DataDir, EmbeddedSettings, SledStore, Space, Store};
use toolhost_vault::{CredentialError, CredentialProvider, SealedVault};

struct Opened {
    keys: Arc<Keyring>,
    store: Arc<SledStore>,
    vault: SealedVault,
}

fn open(directory: &Path) -> Opened {
    let data_dir = DataDir::open(directory).unwrap();
    let (master, _) = MasterKey::open_or_create(&directory.join("master.key")).unwrap();
    let keys = Arc::new(Keyring::open(directory, master).unwrap());
    let store = SledStore::open(data_dir, keys.clone(), EmbeddedSettings::default()).unwrap();
    let store = Arc::new(store);
    let vault = SealedVault::new(store.clone(), keys.clone());
    Opened { keys, store, vault }
}

fn planted() -> Vec<String> {
    (0..20)
        .map(|n: u64| {
            format!(
                "tok/{n:02}+{:016x}==~",
                0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n + 1)
            )
        })
        .collect()
}

fn spellings(text: &str) -> Vec<Vec<u8>> {
    let raw = text.as_bytes();
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut needles = vec![
        raw[..12].to_vec(),
        raw[raw.len() - 12..].to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        raw.iter().rev().copied().collect(),
        raw.iter().flat_map(|byte| [*byte, 0]).collect(),
    ];
    for skipped in 0..3 {
        let rest = &raw[skipped..];
        let rest = &rest[..rest.len() / 3 * 3];
        needles.push(STANDARD.encode(rest).into_bytes());
        needles.push(URL_SAFE_NO_PAD.encode(rest).into_bytes());
    }
    needles
}

/// The bytes of every file below.
fn files(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_the_data_directory_holds_a_secret_in_any_spelling() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("data");
    let planted = planted();
    let acme = space("acme");
    {
        let opened = open(&directory);
        opened.store.create(&acme).await.unwrap();
        for (number, text) in planted.iter().enumerate() {
            let name = name(&format!("c{number}"));
            let set = opened.vault.set(&acme, &name, new(text), &by()).await;
            assert_eq!(set.unwrap().version as usize, number + 1);
        }
        let of = Space::Tenant(acme.clone());
        opened.keys.rotate(&of).unwrap();
        assert_eq!(
            opened.vault.reseal(&acme, &by()).await.unwrap().resealed,
            planted.len()
        );
        for number in 0..10 {
            let name = name(&format!("c{number}"));
            assert!(opened.vault.remove(&acme, &name, &by()).await.unwrap());
        }
        assert!(opened.vault.get(&key("acme", "c12")).await.is_ok());
    }
    let mut found = vec![];
    files(&directory, &mut found);
    assert!(found.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000);
    for needle in planted.iter().flat_map(|text| spellings(text)) {
        let finder = aho_corasick::AhoCorasick::new([&needle]).unwrap();
        for (path, bytes) in &found {
            assert!(!finder.is_match(bytes), "{path}: {}", needle.escape_ascii());
        }
    }
    let opened = open_again(&directory).await;
    for (number, text) in planted.iter().enumerate() {
        let seen = opened.vault.get(&key("acme", &format!("c{number}"))).await;
        if number < 10 {
            assert_eq!(seen.unwrap_err(), CredentialError::NotConnected);
        } else {
            assert_eq!(seen.unwrap().secret.expose(), text.as_bytes());
        }
    }
}

/// The lock is given back a moment after the last one has let go.
async fn open_again(directory: &Path) -> Opened {
    for _ in 0..100 {
        if DataDir::open(directory).is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    open(directory)
}
