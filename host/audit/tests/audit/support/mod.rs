//! What the tests of chains stand on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toolhost_audit::{
    Actor, CallFinished, CallStarted, Chain, ChainKey, ChainKeys, ChainSettings, ChainSink,
    EgressIntent, Event, GrantApproved, HostStarted, SinkError, VerifyReport, verify,
};
use toolhost_identity::TenantId;

/// One key a chain, made of its name.
#[derive(Debug)]
pub struct Keys;

impl ChainKeys for Keys {
    fn key(&self, chain: &Chain) -> Result<ChainKey, SinkError> {
        let mut bytes = [7; 32];
        let label = chain.label();
        bytes
            .iter_mut()
            .zip(label.bytes())
            .for_each(|(byte, own)| *byte ^= own);
        Ok(ChainKey::new(bytes))
    }
}

pub fn tenant(name: &str) -> Chain {
    Chain::Tenant(TenantId::parse(name).unwrap())
}

pub fn small(segment_bytes: u64) -> ChainSettings {
    ChainSettings {
        segment_bytes,
        ..ChainSettings::default()
    }
}

pub fn sink(root: &Path, settings: ChainSettings) -> ChainSink {
    ChainSink::open(root, Arc::new(Keys), settings).unwrap()
}

pub fn who(tenant: &str) -> Actor {
    Actor {
        tenant: tenant.into(),
        issuer: "https://idp.example".into(),
        subject: "user-1".into(),
        client: None,
        kind: "user",
    }
}

pub fn started(tenant: &str, call: u64, read_only: bool) -> Event {
    Event::CallStarted(CallStarted {
        call,
        who: who(tenant),
        plugin: "billing".into(),
        digest: "d".repeat(64),
        tool: "list_invoices".into(),
        upstream_name: Some("invoices.list".into()),
        read_only,
        arguments_bytes: 17,
    })
}

pub fn finished(tenant: &str, call: u64) -> Event {
    Event::CallFinished(CallFinished {
        call,
        who: who(tenant),
        plugin: "billing".into(),
        tool: "list_invoices".into(),
        outcome: "ok".into(),
        result_bytes: 321,
        duration_us: 1_234,
    })
}

pub fn intent(tenant: &str, call: u64, method: &str) -> Event {
    Event::EgressIntent(EgressIntent {
        call,
        who: who(tenant),
        plugin: "billing".into(),
        connection: "billing".into(),
        method: method.into(),
        path: "/v1/invoices/{id}".into(),
        address: "192.0.2.1:443".into(),
        credential_version: Some(3),
        request_bytes: 0,
    })
}

pub fn grant() -> Event {
    Event::GrantApproved(GrantApproved {
        plugin: "billing".into(),
        digest: "d".repeat(64),
        by: "--yes",
    })
}

pub fn host_started() -> Event {
    Event::HostStarted(HostStarted {
        version: "0.1.0".into(),
        pid: 1,
    })
}

pub fn check(root: &Path, chain: &Chain) -> VerifyReport {
    verify(root, chain, &Keys, &[]).unwrap()
}

pub fn assert_whole(root: &Path, chain: &Chain) -> VerifyReport {
    let report = check(root, chain);
    assert!(report.is_whole(), "{:?}", report.problems);
    report
}

/// The segments of a chain, in order.
pub fn segments(root: &Path, chain: &Chain) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(chain.directory(root))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    found.sort();
    found
}

/// All lines of a chain.
pub fn lines(root: &Path, chain: &Chain) -> Vec<String> {
    segments(root, chain)
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
