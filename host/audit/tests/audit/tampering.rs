//! Whatever is done to a chain without its key is found (T55).

use crate::support;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use support::{Keys, assert_whole, check, copy, finished, lines, segments, sink, small, tenant};
use toolhost_audit::{Chain, ChainFinding, KnownHead, Sink, export, verify};

const RECORDS: u64 = 40;

/// A chain of some segments, closed in good order, that every case begins with.
static CHAIN: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), 0, RECORDS);
    root
});

fn write(root: &Path, from: u64, to: u64) {
    let sink = sink(root, small(3_000));
    for call in from..to {
        sink.record_now(&finished("acme", call)).unwrap();
    }
}

fn fresh() -> (tempfile::TempDir, Chain) {
    let root = tempfile::tempdir().unwrap();
    copy(CHAIN.path(), root.path());
    (root, tenant("acme"))
}

/// The chain's lines by segment, changed and put back.
fn edit(root: &Path, chain: &Chain, change: impl FnOnce(&mut Vec<Vec<String>>)) {
    let paths = segments(root, chain);
    let mut all: Vec<Vec<String>> = paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(str::to_owned).collect()
        })
        .collect();
    change(&mut all);
    for (path, lines) in paths.iter().zip(all) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(path, text).unwrap();
    }
}

fn some_segment(root: &Path, chain: &Chain, which: prop::sample::Index) -> PathBuf {
    let paths = segments(root, chain);
    paths[which.index(paths.len())].clone()
}

#[test]
fn an_untouched_chain_is_whole() {
    let (root, chain) = fresh();
    let report = assert_whole(root.path(), &chain);
    assert_eq!(report.records, RECORDS);
    assert!(report.segments > 3, "{report:?}");
    assert_eq!(
        (report.first, report.last),
        (Some(1), Some(RECORDS + report.segments))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_byte_is_found(which: prop::sample::Index, at: prop::sample::Index, with in 1u8..) {
        let (root, chain) = fresh();
        let path = some_segment(root.path(), &chain, which);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(!check(root.path(), &chain).is_whole());
    }

    #[test]
    fn a_cut_byte_or_more_is_found(which: prop::sample::Index, at: prop::sample::Index, most in 1usize..2_000) {
        let (root, chain) = fresh();
        let path = some_segment(root.path(), &chain, which);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes.drain(at..(at + most).min(bytes.len()));
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(!check(root.path(), &chain).is_whole());
    }

    #[test]
    fn a_dropped_line_is_found(which: prop::sample::Index, at: prop::sample::Index) {
        let (root, chain) = fresh();
        edit(root.path(), &chain, |all| {
            let segment = which.index(all.len());
            let at = at.index(all[segment].len());
            all[segment].remove(at);
        });
        prop_assert!(!check(root.path(), &chain).is_whole());
    }

    #[test]
    fn a_repeated_moved_or_swapped_line_is_found(
        from: prop::sample::Index, line: prop::sample::Index,
        to: prop::sample::Index, at: prop::sample::Index, keeps: bool,
    ) {
        let (root, chain) = fresh();
        let before = lines(root.path(), &chain);
        edit(root.path(), &chain, |all| {
            let from = from.index(all.len());
            let line = line.index(all[from].len());
            let text = all[from][line].clone();
            if !keeps {
                all[from].remove(line);
            }
            let to = to.index(all.len());
            let at = at.index(all[to].len() + 1);
            all[to].insert(at, text);
        });
        prop_assume!(lines(root.path(), &chain) != before);
        prop_assert!(!check(root.path(), &chain).is_whole());
    }

    #[test]
    fn a_line_of_another_tenant_or_of_nobody_is_found(
        segment: prop::sample::Index, at: prop::sample::Index, replaces: bool, garbage in "[ -~]{0,300}", own: bool,
    ) {
        let (root, chain) = fresh();
        let other = tempfile::tempdir().unwrap();
        let writer = sink(other.path(), small(1 << 20));
        (0..RECORDS).for_each(|call| writer.record_now(&finished("other", call)).unwrap());
        let foreign = lines(other.path(), &tenant("other"));
        edit(root.path(), &chain, |all| {
            let segment = segment.index(all.len());
            let at = at.index(all[segment].len());
            let text = if own { garbage } else { foreign[at + 1].clone() };
            if replaces {
                all[segment][at] = text;
            } else {
                all[segment].insert(at, text);
            }
        });
        prop_assert!(!check(root.path(), &chain).is_whole());
    }

    #[test]
    fn a_dropped_renamed_or_exchanged_segment_is_found(which: prop::sample::Index, other: prop::sample::Index, how in 0..3) {
        let (root, chain) = fresh();
        let paths = segments(root.path(), &chain);
        let (one, two) = (which.index(paths.len()), other.index(paths.len()));
        match how {
            0 => std::fs::remove_file(&paths[one]).unwrap(),
            1 => std::fs::rename(&paths[one], paths[one].with_file_name("000099.jsonl")).unwrap(),
            _ => {
                prop_assume!(one != two);
                let (a, b) = (std::fs::read(&paths[one]).unwrap(), std::fs::read(&paths[two]).unwrap());
                std::fs::write(&paths[one], b).unwrap();
                std::fs::write(&paths[two], a).unwrap();
            }
        }
        prop_assert!(!check(root.path(), &chain).is_whole());
    }

    #[test]
    fn a_cut_end_is_found_whole_lines_or_not(lines in 1usize..60, bytes in 0usize..400) {
        let (root, chain) = fresh();
        let mut left = lines;
        for path in segments(root.path(), &chain).iter().rev() {
            let text = std::fs::read_to_string(path).unwrap();
            let have = text.lines().count();
            if left == 0 {
                break;
            } else if have <= left {
                std::fs::remove_file(path).unwrap();
                left -= have;
            } else {
                let keep: String = text.lines().take(have - left).map(|line| format!("{line}\n")).collect();
                let rest: String = text[keep.len()..].chars().take(bytes.min(text.len() - keep.len() - 1)).collect();
                std::fs::write(path, keep + &rest).unwrap();
                break;
            }
        }
        prop_assert!(!check(root.path(), &chain).is_whole());
    }

    #[test]
    fn a_changed_head_is_found_and_nothing_is_added_after_it(at: prop::sample::Index, with in 1u8..) {
        let (root, chain) = fresh();
        let path = chain.directory(root.path()).join("head");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        // White space for white space changes nothing that the head says.
        let is_blank = |byte: u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        prop_assume!(!is_blank(bytes[at]));
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(!check(root.path(), &chain).is_whole());
        prop_assert!(sink(root.path(), small(3_000)).record_now(&finished("acme", 1)).is_err());
    }
}

#[test]
fn a_head_that_is_missing_is_found_and_nothing_is_added() {
    let (root, chain) = fresh();
    std::fs::remove_file(chain.directory(root.path()).join("head")).unwrap();
    assert!(!check(root.path(), &chain).is_whole());
    assert!(
        sink(root.path(), small(3_000))
            .record_now(&finished("acme", 1))
            .is_err()
    );
}

#[test]
fn nothing_is_added_to_a_chain_that_was_cut() {
    let (root, chain) = fresh();
    let last = segments(root.path(), &chain).pop().unwrap();
    let text = std::fs::read_to_string(&last).unwrap();
    let shorter = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&last, &text[..shorter]).unwrap();
    let error = sink(root.path(), small(3_000))
        .record_now(&finished("acme", 1))
        .unwrap_err();
    assert!(error.to_string().contains("host audit verify"), "{error}");
    std::fs::remove_file(&last).unwrap();
    assert!(
        sink(root.path(), small(3_000))
            .record_now(&finished("acme", 1))
            .is_err()
    );
}

#[test]
fn one_tenants_chain_is_not_anothers_even_under_the_same_key() {
    #[derive(Debug)]
    struct Same;
    impl toolhost_audit::ChainKeys for Same {
        fn key(&self, _: &Chain) -> Result<toolhost_audit::ChainKey, toolhost_audit::SinkError> {
            Ok(toolhost_audit::ChainKey::new([1; 32]))
        }
    }
    let root = tempfile::tempdir().unwrap();
    let sink =
        toolhost_audit::ChainSink::open(root.path(), std::sync::Arc::new(Same), small(1 << 20))
            .unwrap();
    sink.record_now(&finished("acme", 1)).unwrap();
    drop(sink);
    let (acme, other) = (tenant("acme"), tenant("other"));
    copy(&acme.directory(root.path()), &other.directory(root.path()));
    assert!(verify(root.path(), &acme, &Same, &[]).unwrap().is_whole());
    assert!(!verify(root.path(), &other, &Same, &[]).unwrap().is_whole());
    // Only the head tells, where there is no record of another segment yet.
    std::fs::remove_file(other.directory(root.path()).join("head")).unwrap();
    let problems = verify(root.path(), &other, &Same, &[]).unwrap().problems;
    assert!(
        problems
            .iter()
            .any(|problem| problem.what == ChainFinding::Changed),
        "{problems:?}"
    );
    assert!(
        verify(root.path(), &acme, &Keys, &[])
            .unwrap()
            .problems
            .len()
            > 1
    );
}

#[test]
fn a_directory_that_was_put_back_is_found_by_an_exported_head() {
    let (root, chain) = fresh();
    let older = tempfile::tempdir().unwrap();
    copy(root.path(), older.path());
    write(root.path(), RECORDS, RECORDS + 5);
    let mut text = Vec::new();
    export(root.path(), &chain, &Keys, 0, u64::MAX, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let head = KnownHead::parse(text.lines().last().unwrap(), &chain).unwrap();
    assert!(KnownHead::parse(text.lines().last().unwrap(), &Chain::Host).is_none());
    assert!(
        verify(root.path(), &chain, &Keys, &[head])
            .unwrap()
            .is_whole()
    );

    // What cannot be found without it, as the documents say.
    assert!(check(older.path(), &chain).is_whole());
    let report = verify(older.path(), &chain, &Keys, &[head]).unwrap();
    assert!(
        matches!(report.problems[..], [ref one] if matches!(one.what, ChainFinding::Cut { .. })),
        "{report:?}"
    );

    // And where the host has gone on from there.
    write(older.path(), 1_000, 1_010);
    assert!(check(older.path(), &chain).is_whole());
    let report = verify(older.path(), &chain, &Keys, &[head]).unwrap();
    assert!(
        matches!(report.problems[..], [ref one] if matches!(one.what, ChainFinding::AnotherRecord(_))),
        "{report:?}"
    );
}

#[test]
fn rubbish_of_any_size_is_read_in_bounded_memory_and_said_once_a_line() {
    let (root, chain) = fresh();
    let path = &segments(root.path(), &chain)[0];
    std::fs::write(path, "\n".repeat(5_000) + &"x".repeat(2_000_000)).unwrap();
    let report = check(root.path(), &chain);
    assert_eq!(report.problems.len(), toolhost_audit::MAX_PROBLEMS);
    assert!(report.more_problems >= 4_000, "{}", report.more_problems);
}
