//! What is written where, and when it counts.

use crate::support;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use support::{
    Keys, assert_whole, check, copy, finished, grant, host_started, intent, lines, segments, sink,
    small, started, tenant,
};
use toolhost_audit::{
    Chain, ChainSettings, ChainSink, Durability, Event, KnownHead, Sink, SinkError, Tail, export,
};

#[test]
fn each_event_says_what_it_needs() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(intent("acme", 1, method).durability(), Durability::Grouped);
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "get", "QUERY"] {
        assert_eq!(
            intent("acme", 1, method).durability(),
            Durability::Synced,
            "{method}"
        );
    }
    assert_eq!(started("acme", 1, true).durability(), Durability::Held);
    assert_eq!(started("acme", 1, false).durability(), Durability::Grouped);
    assert_eq!(finished("acme", 1).durability(), Durability::Grouped);
    assert_eq!(grant().durability(), Durability::Synced);
    assert_eq!(host_started().durability(), Durability::Synced);
}

#[tokio::test]
async fn a_tenants_events_are_in_its_chain_and_the_others_in_the_hosts() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), ChainSettings::default());
    sink.record(&grant()).await.unwrap();
    sink.record(&finished("acme", 1)).await.unwrap();
    sink.record(&intent("other", 2, "POST")).await.unwrap();
    drop(sink);
    assert_eq!(
        Chain::all(root.path()).unwrap(),
        [Chain::Host, tenant("acme"), tenant("other")]
    );
    for (chain, event) in [
        (Chain::Host, "grant_approved"),
        (tenant("acme"), "call_finished"),
        (tenant("other"), "egress_intent"),
    ] {
        assert_eq!(assert_whole(root.path(), &chain).records, 1);
        let line: serde_json::Value = serde_json::from_str(&lines(root.path(), &chain)[1]).unwrap();
        assert_eq!(
            (line["event"].as_str(), line["seq"].as_u64()),
            (Some(event), Some(2))
        );
        time::OffsetDateTime::parse(
            line["time"].as_str().unwrap(),
            &time::format_description::well_known::Rfc3339,
        )
        .unwrap();
    }
    assert!(lines(root.path(), &tenant("other"))[1].contains("\"credential_version\":3"));
}

#[test]
fn a_tenant_that_is_none_never_becomes_a_path() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), ChainSettings::default());
    for name in ["../../etc", "", "a/b", "HOST", ".."] {
        let error = sink.record_now(&finished(name, 1)).unwrap_err();
        assert!(matches!(error, SinkError::Event(_)), "{name}: {error}");
    }
    assert_eq!(Chain::all(root.path()).unwrap(), [Chain::Host]);
}

#[test]
fn nobody_else_reads_the_files() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("audit");
    let sink = sink(&root, small(2_000));
    (0..20).for_each(|call| sink.record_now(&finished("acme", call)).unwrap());
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for directory in [
        root.clone(),
        root.join("host"),
        root.join("tenants"),
        root.join("tenants/acme"),
    ] {
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
    }
    for entry in std::fs::read_dir(root.join("tenants/acme")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn segments_end_at_their_size_and_each_begins_with_the_last_seal_of_the_one_before() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), small(2_000));
    (0..30).for_each(|call| sink.record_now(&finished("acme", call)).unwrap());
    drop(sink);
    let chain = tenant("acme");
    let report = assert_whole(root.path(), &chain);
    assert!(report.records == 30 && report.segments >= 5, "{report:?}");
    let mut before: Option<serde_json::Value> = None;
    for path in segments(root.path(), &chain) {
        assert!(std::fs::metadata(&path).unwrap().len() < 2_000 + 600);
        let text = std::fs::read_to_string(&path).unwrap();
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        if let Some(before) = before {
            assert_eq!(first["previous"], before["mac"]);
        }
        before = text
            .lines()
            .last()
            .map(|line| serde_json::from_str(line).unwrap());
    }
}

#[test]
fn a_chain_goes_on_after_it_was_closed() {
    let root = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let sink = sink(root.path(), small(1_500));
        (0..7).for_each(|call| {
            sink.record_now(&finished("acme", round * 7 + call))
                .unwrap()
        });
    }
    let report = assert_whole(root.path(), &tenant("acme"));
    assert_eq!(report.records, 35);
    let text = lines(root.path(), &tenant("acme")).concat();
    assert!(!text.contains("chain_resumed"), "there was no gap");
}

#[test]
fn a_chain_has_one_writer() {
    let root = tempfile::tempdir().unwrap();
    let first = sink(root.path(), ChainSettings::default());
    let second = ChainSink::open(root.path(), Arc::new(Keys), ChainSettings::default());
    assert!(matches!(second, Err(SinkError::Owned { .. })), "{second:?}");
    drop(first);
    sink(root.path(), ChainSettings::default());
}

#[test]
fn the_start_of_a_read_is_held_until_its_end_and_no_longer_than_the_tick() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), ChainSettings::default());
    let chain = tenant("acme");
    sink.record_now(&finished("acme", 0)).unwrap();
    sink.record_now(&started("acme", 1, true)).unwrap();
    assert_eq!(lines(root.path(), &chain).len(), 2, "held");
    sink.record_now(&finished("acme", 1)).unwrap();
    assert_eq!(
        lines(root.path(), &chain).len(),
        4,
        "written with its end, and before it"
    );
    sink.record_now(&started("acme", 2, false)).unwrap();
    assert_eq!(
        lines(root.path(), &chain).len(),
        5,
        "a call with effects is not held"
    );
    sink.record_now(&started("acme", 3, true)).unwrap();
    soon(|| lines(root.path(), &chain).len() == 6);
}

#[test]
fn what_is_not_synced_is_within_a_second_and_the_head_says_so() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), ChainSettings::default());
    let chain = tenant("acme");
    sink.record_now(&finished("acme", 0)).unwrap();
    soon(|| {
        // The chain as it lies there, cut by a line.
        let copied = tempfile::tempdir().unwrap();
        copy(root.path(), copied.path());
        let path = &segments(copied.path(), &chain)[0];
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.lines().next().unwrap().to_owned() + "\n").unwrap();
        !check(copied.path(), &chain).is_whole()
    });
}

/// It becomes so, within a minute on a machine that does much else.
fn soon(mut is_so: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_synced_record_is_in_the_head_when_the_call_returns() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), ChainSettings::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    for call in 0..20 {
        let event = intent("acme", call, "POST");
        if call % 2 == 0 {
            runtime.block_on(sink.record(&event)).unwrap();
        } else {
            sink.record_now(&event).unwrap();
        }
        let mut text = Vec::new();
        export(root.path(), &tenant("acme"), &Keys, 0, 0, &mut text).unwrap();
        let head: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(head["seq"], call + 2);
    }
    assert_eq!(sink.figures().syncs, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_wait_together_share_a_sync() {
    let root = tempfile::tempdir().unwrap();
    let sink = Arc::new(sink(root.path(), ChainSettings::default()));
    sink.record(&intent("acme", 0, "POST")).await.unwrap();
    let before = sink.figures().syncs;
    let tasks: Vec<_> = (0..400)
        .map(|call| {
            let sink = Arc::clone(&sink);
            tokio::spawn(async move { sink.record(&intent("acme", call, "POST")).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let syncs = sink.figures().syncs - before;
    assert!(syncs < 200, "{syncs} syncs for 400 records");
    assert_eq!(assert_whole(root.path(), &tenant("acme")).records, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_of_many_tenants_through_few_open_files_make_whole_chains() {
    let root = tempfile::tempdir().unwrap();
    let settings = ChainSettings {
        segment_bytes: 4_000,
        open_chains: 3,
        ..ChainSettings::default()
    };
    let sink = Arc::new(sink(root.path(), settings));
    let tasks: Vec<_> = (0..8_u64)
        .map(|writer| {
            let sink = Arc::clone(&sink);
            tokio::spawn(async move {
                for call in 0..60_u64 {
                    let tenant = format!("t{}", (writer * 7 + call * 3) % 12);
                    let method = if call % 5 == 0 { "POST" } else { "GET" };
                    sink.record(&started(&tenant, call, call % 2 == 0))
                        .await
                        .unwrap();
                    sink.record(&intent(&tenant, call, method)).await.unwrap();
                    sink.record(&finished(&tenant, call)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(sink.figures().open_chains <= 3 + 8, "{:?}", sink.figures());
    sink.record(&finished("t0", 0)).await.unwrap();
    sink.record(&finished("t1", 0)).await.unwrap();
    drop(sink);
    let chains = Chain::all(root.path()).unwrap();
    assert_eq!(chains.len(), 13);
    let records: u64 = chains
        .iter()
        .map(|chain| assert_whole(root.path(), chain).records)
        .sum();
    assert_eq!(records, 8 * 60 * 3 + 2);
}

#[tokio::test]
async fn a_thousand_tenants_keep_no_more_files_open_than_the_setting() {
    let root = tempfile::tempdir().unwrap();
    let settings = ChainSettings {
        open_chains: 16,
        ..ChainSettings::default()
    };
    let sink = sink(root.path(), settings);
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open_files();
    for round in 0..2 {
        for at in 0..500 {
            sink.record(&finished(&format!("t{at}"), round))
                .await
                .unwrap();
        }
    }
    assert!(sink.figures().open_chains <= 16);
    // Other tests of this binary open files too, under `cargo test`.
    assert!(open_files() < before + 200);
    assert!(sink.figures().opened >= 1_000);
    drop(sink);
    assert_eq!(assert_whole(root.path(), &tenant("t499")).records, 2);
}

#[test]
fn the_tail_shows_the_last_records_and_follows_over_segments() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), small(1_200));
    let chain = tenant("acme");
    (0..10).for_each(|call| sink.record_now(&finished("acme", call)).unwrap());
    let mut tail = Tail::open(root.path(), &chain, 8).unwrap();
    let all = lines(root.path(), &chain);
    assert_eq!(tail.next_lines().unwrap(), all[all.len() - 8..]);
    assert!(tail.next_lines().unwrap().is_empty());
    (10..20).for_each(|call| sink.record_now(&finished("acme", call)).unwrap());
    assert_eq!(
        tail.next_lines().unwrap(),
        lines(root.path(), &chain)[all.len()..]
    );
    assert!(Tail::open(root.path(), &tenant("nobody"), 1).is_err());
}

#[test]
fn an_export_is_the_lines_that_were_asked_for_and_the_head() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), small(1_200));
    let chain = tenant("acme");
    (0..10).for_each(|call| sink.record_now(&finished("acme", call)).unwrap());
    sink.sync_all();
    let mut text = Vec::new();
    assert_eq!(
        export(root.path(), &chain, &Keys, 3, 7, &mut text).unwrap(),
        5
    );
    let text = String::from_utf8(text).unwrap();
    let found: Vec<&str> = text.lines().collect();
    assert_eq!(found[..5], lines(root.path(), &chain)[2..7]);
    assert!(KnownHead::parse(found[5], &chain).is_some());
}

#[test]
fn an_event_too_long_for_a_record_is_refused_and_harms_nothing() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), ChainSettings::default());
    let Event::CallFinished(mut event) = finished("acme", 1) else {
        unreachable!()
    };
    event.plugin = "x".repeat(300 << 10);
    assert!(matches!(
        sink.record_now(&Event::CallFinished(event)),
        Err(SinkError::Event(_))
    ));
    sink.record_now(&finished("acme", 2)).unwrap();
    drop(sink);
    assert_eq!(assert_whole(root.path(), &tenant("acme")).records, 1);
}

#[test]
fn what_a_caller_writes_cannot_begin_a_line_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), ChainSettings::default());
    let Event::CallFinished(mut event) = finished("acme", 1) else {
        unreachable!()
    };
    event.outcome = "x\"}\n{\"seq\":9,\"mac\":\"\u{2028}".into();
    sink.record_now(&Event::CallFinished(event.clone()))
        .unwrap();
    drop(sink);
    let all = lines(root.path(), &tenant("acme"));
    assert_eq!(all.len(), 2);
    let line: serde_json::Value = serde_json::from_str(&all[1]).unwrap();
    assert_eq!(line["outcome"], event.outcome);
    assert_whole(root.path(), &tenant("acme"));
}
