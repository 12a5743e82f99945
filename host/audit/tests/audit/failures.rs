//! A disk that does not take what it is given, and what is left when the host was killed in the
//! middle.

use crate::support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use support::{
    Keys, assert_whole, check, finished, grant, intent, lines, segments, sink, small, started,
    tenant,
};
use toolhost_audit::{
    Chain, ChainKey, ChainKeys, ChainSettings, ChainSink, JsonLinesSink, OnFailure, Sink, SinkError,
};

/// A disk of its own, as large as it says. It needs the right to mount, and a test that cannot have
/// it fails.
struct SmallDisk(
    PathBuf,
    #[expect(dead_code, reason = "removed when it goes")] tempfile::TempDir,
);

impl SmallDisk {
    fn with_size(size: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={size},mode=0700");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(
            status.success(),
            "no tmpfs can be mounted: this test has to run where one can"
        );
        Self(path, place)
    }

    /// Takes all that is free.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [4_096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[tokio::test]
async fn a_full_disk_refuses_records_and_a_chain_that_goes_on_says_how_many() {
    let disk = SmallDisk::with_size("256k");
    let settings = ChainSettings {
        open_chains: 1,
        ..ChainSettings::default()
    };
    let sink = sink(&disk.0, settings);
    for call in 0..10 {
        sink.record(&finished("acme", call)).await.unwrap();
    }
    let filler = disk.fill();
    let mut refused = 0;
    let mut taken = 10;
    // What is left of the last page is taken.
    for call in 0..100 {
        match sink.record(&intent("acme", call, "POST")).await {
            Ok(()) if refused == 0 => taken += 1,
            Ok(()) => panic!("a record after a refused one, and the disk is as full"),
            Err(error) => {
                assert!(matches!(error, SinkError::Full(_)), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 80, "{refused}");
    std::fs::remove_file(filler).unwrap();
    sink.record(&intent("acme", 1, "POST")).await.unwrap();
    // Said once, also where the chain was closed and opened in between.
    sink.record(&finished("other", 1)).await.unwrap();
    sink.record(&finished("acme", 1)).await.unwrap();
    drop(sink);
    let report = assert_whole(&disk.0, &tenant("acme"));
    let all = lines(&disk.0, &tenant("acme"));
    let resumed: Vec<serde_json::Value> = all
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["event"] == "chain_resumed")
        .collect();
    assert_eq!(resumed.len(), 1, "{resumed:?}");
    assert_eq!(resumed[0]["refused"], refused);
    assert_eq!(report.records, taken + 1 + 2);
}

#[tokio::test]
async fn a_disk_that_is_full_at_a_rotation_loses_nothing_either() {
    let disk = SmallDisk::with_size("64k");
    let sink = sink(&disk.0, small(2_000));
    let mut taken = 0;
    let mut is_full = false;
    for call in 0..400 {
        match sink.record(&finished("acme", call)).await {
            Ok(()) => {
                assert!(!is_full, "after a refused one");
                taken += 1;
            }
            Err(error) => {
                assert!(matches!(error, SinkError::Full(_)), "{error}");
                is_full = true;
            }
        }
    }
    assert!(is_full && taken > 20, "{taken}");
    drop(sink);
    let path = &segments(&disk.0, &tenant("acme"))[0];
    let first = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    let again = support::sink(&disk.0, small(2_000));
    again.record(&finished("acme", 1)).await.unwrap();
    drop(again);
    // Put back: what is missing is what was taken away, and nothing else.
    let report = check(&disk.0, &tenant("acme"));
    assert_eq!(report.problems.len(), 2, "{:?}", report.problems);
    drop(first);
    let kept = lines(&disk.0, &tenant("acme"))
        .iter()
        .filter(|line| line.contains("call_finished"))
        .count();
    assert!(kept as u64 + 10 >= taken, "{kept} of {taken}");
}

#[test]
fn a_record_that_was_not_completed_is_cut_off_and_the_chain_says_so() {
    let root = tempfile::tempdir().unwrap();
    let chain = tenant("acme");
    for round in 0..3_u64 {
        let sink = sink(root.path(), ChainSettings::default());
        sink.record_now(&finished("acme", round)).unwrap();
        drop(sink);
        let path = &segments(root.path(), &chain)[0];
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"{\"seq\":99,\"time\"").unwrap();
        let report = assert_whole(root.path(), &chain);
        assert_eq!(report.unfinished_bytes, 16);
    }
    drop(sink(root.path(), ChainSettings::default()));
    let sink = sink(root.path(), ChainSettings::default());
    sink.record_now(&finished("acme", 9)).unwrap();
    drop(sink);
    assert_eq!(assert_whole(root.path(), &chain).unfinished_bytes, 0);
    let all = lines(root.path(), &chain);
    let resumed = all
        .iter()
        .filter(|line| line.contains("\"chain_resumed\",\"dropped_bytes\":16"));
    assert_eq!(resumed.count(), 3, "{all:?}");
}

/// The chain as a host that was killed leaves it: records after the head.
fn killed(root: &Path, records: u64, settings: ChainSettings) -> (Chain, PathBuf) {
    let chain = tenant("acme");
    let live = tempfile::tempdir().unwrap();
    let sink = sink(live.path(), settings);
    sink.record_now(&intent("acme", 0, "POST")).unwrap();
    let head = std::fs::read(chain.directory(live.path()).join("head")).unwrap();
    (0..records).for_each(|call| sink.record_now(&finished("acme", call)).unwrap());
    support::copy(live.path(), root);
    std::fs::write(chain.directory(root).join("head"), head).unwrap();
    let path = segments(root, &chain)[0].clone();
    (chain, path)
}

#[test]
fn whole_records_after_the_head_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let (chain, _) = killed(root.path(), 20, ChainSettings::default());
    let sink = sink(root.path(), ChainSettings::default());
    sink.record_now(&finished("acme", 99)).unwrap();
    drop(sink);
    assert_eq!(assert_whole(root.path(), &chain).records, 22);
    assert!(
        !lines(root.path(), &chain)
            .concat()
            .contains("chain_resumed")
    );
}

#[test]
fn records_after_the_head_that_do_not_follow_are_cut_off_and_said_to_be() {
    let drop_it = |all: &mut Vec<String>| {
        all.remove(10);
    };
    let change_it = |all: &mut Vec<String>| all[10] = all[10].replace("321", "322");
    for change in [&drop_it as &dyn Fn(&mut Vec<String>), &change_it] {
        let root = tempfile::tempdir().unwrap();
        let (chain, path) = killed(root.path(), 20, ChainSettings::default());
        let mut all = lines(root.path(), &chain);
        change(&mut all);
        std::fs::write(&path, all.join("\n") + "\n").unwrap();
        let sink = sink(root.path(), ChainSettings::default());
        sink.record_now(&finished("acme", 99)).unwrap();
        drop(sink);
        // Before the cut: the segment's first line, the intent, eight records. After it: that there
        // was one, and the last.
        assert_eq!(assert_whole(root.path(), &chain).records, 1 + 8 + 2);
        assert!(lines(root.path(), &chain)[10].contains("chain_resumed"));
    }
}

#[test]
fn a_segment_before_the_last_that_was_cut_is_left_as_it_is_and_nothing_is_added() {
    let root = tempfile::tempdir().unwrap();
    let (chain, path) = killed(root.path(), 20, small(2_000));
    assert!(segments(root.path(), &chain).len() > 3);
    let mut text = std::fs::read(&path).unwrap();
    text.truncate(text.len() - 20);
    std::fs::write(&path, &text).unwrap();
    let error = sink(root.path(), small(2_000))
        .record_now(&finished("acme", 99))
        .unwrap_err();
    assert!(matches!(error, SinkError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), text);
}

#[test]
fn a_segment_that_was_begun_and_has_no_first_line_is_begun_anew() {
    for text in ["", "{\"seq\":", "rubbish\n"] {
        let root = tempfile::tempdir().unwrap();
        let chain = tenant("acme");
        drop({
            let sink = sink(root.path(), small(1_500));
            (0..4).for_each(|call| sink.record_now(&finished("acme", call)).unwrap());
            sink
        });
        let next = segments(root.path(), &chain).len() + 1;
        std::fs::write(
            chain
                .directory(root.path())
                .join(format!("{next:06}.jsonl")),
            text,
        )
        .unwrap();
        let sink = sink(root.path(), small(1_500));
        (0..4).for_each(|call| sink.record_now(&finished("acme", call)).unwrap());
        drop(sink);
        assert!(assert_whole(root.path(), &chain).records >= 8);
    }
}

#[test]
fn a_chain_that_was_made_and_not_begun_is_begun() {
    let root = tempfile::tempdir().unwrap();
    drop(sink(root.path(), ChainSettings::default()));
    assert!(segments(root.path(), &Chain::Host).is_empty());
    assert!(assert_whole(root.path(), &Chain::Host).first.is_none());
    sink(root.path(), ChainSettings::default())
        .record_now(&grant())
        .unwrap();
    assert_eq!(assert_whole(root.path(), &Chain::Host).records, 1);
}

#[test]
fn a_chain_without_a_key_records_nothing_and_the_others_go_on() {
    #[derive(Debug)]
    struct Some;
    impl ChainKeys for Some {
        fn key(&self, chain: &Chain) -> Result<ChainKey, SinkError> {
            if *chain == tenant("locked") {
                return Err(SinkError::NoKey {
                    chain: chain.to_string(),
                    why: "keys/host.key".into(),
                });
            }
            Keys.key(chain)
        }
    }
    let root = tempfile::tempdir().unwrap();
    let sink = ChainSink::open(root.path(), Arc::new(Some), ChainSettings::default()).unwrap();
    assert!(sink.record_now(&finished("locked", 1)).is_err());
    assert!(!tenant("locked").directory(root.path()).exists());
    sink.record_now(&finished("acme", 1)).unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_refuses_to_open() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("audit");
    std::fs::write(&file, "").unwrap();
    assert!(ChainSink::open(&file, Arc::new(Keys), ChainSettings::default()).is_err());
}

#[test]
fn reads_are_refused_unless_the_operator_says_otherwise() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(
        sink(root.path(), ChainSettings::default()).on_failure(),
        OnFailure::Refuse
    );
    let settings = ChainSettings {
        on_failure: OnFailure::ServeReads,
        ..ChainSettings::default()
    };
    assert_eq!(
        sink(root.path(), settings).on_failure(),
        OnFailure::ServeReads
    );
    let lines = JsonLinesSink::open(&root.path().join("lines")).unwrap();
    assert_eq!(lines.on_failure(), OnFailure::Refuse);
}

#[test]
fn held_starts_that_could_not_be_written_are_counted() {
    let disk = SmallDisk::with_size("64k");
    let sink = sink(&disk.0, ChainSettings::default());
    sink.record_now(&finished("acme", 0)).unwrap();
    let filler = disk.fill();
    let mut held = 0;
    // To the end of the page, and beyond it.
    while sink.record_now(&started("acme", held, true)).is_ok() && held < 40 {
        held += 1;
    }
    let first = sink.record_now(&finished("acme", 1));
    assert!(matches!(first, Err(SinkError::Full(_))), "{first:?}");
    std::fs::remove_file(filler).unwrap();
    sink.record_now(&finished("acme", 2)).unwrap();
    drop(sink);
    assert_whole(&disk.0, &tenant("acme"));
    let all = lines(&disk.0, &tenant("acme"));
    let kept = all
        .iter()
        .filter(|line| line.contains("call_started"))
        .count() as u64;
    let resumed = all
        .iter()
        .find(|line| line.contains("chain_resumed"))
        .unwrap();
    let resumed: serde_json::Value = serde_json::from_str(resumed).unwrap();
    // Every one is in the chain or among those that it says are not.
    assert!(
        kept + resumed["refused"].as_u64().unwrap() >= held,
        "{kept} kept, {resumed}, {held} held"
    );
}
