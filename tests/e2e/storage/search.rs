use std::time::Duration;

use serde_json::json;
use toolhost_harness::leak::encodings;

use crate::storage::World;
use crate::storage::spaces::walk;

/// Each 40 bytes that nothing else in the world has.
fn planted(number: usize) -> String {
    let digits: String = (0..3)
        .map(|at| {
            format!(
                "{:08x}",
                (number + 1) * 2_654_435_761 * (at + 3) % 4_294_967_291
            )
        })
        .collect();
    format!("C4nary/Kept+{number:02}={digits}")
}

#[tokio::test]
async fn whoever_reads_the_disk_the_logs_and_a_core_finds_no_secret() {
    let mut world = World::with(|builder| builder.env("RUST_LOG", "trace")).await;
    let secrets: Vec<String> = (0..20).map(planted).collect();
    for (number, secret) in secrets.iter().enumerate() {
        // Overwritten again and again, so that what a database leaves behind is searched too.
        let name = format!(
            "{}/billing",
            if number % 2 == 0 { "acme" } else { "globex" }
        );
        let verb = [
            "credential",
            "set",
            &name,
            "--secret-file",
            "-",
            "--attribute",
            "external_tenant_id=acct_1",
        ];
        assert_eq!(world.host.verb_with(&verb, secret).status, 0);
        world.call("acme", "list_invoices", json!({})).await;
    }
    assert_eq!(
        world
            .host
            .verb(&["credential", "remove", "acme/billing"])
            .status,
        0
    );
    assert_eq!(world.host.verb(&["store", "backup", "copy"]).status, 0);
    std::fs::remove_file(world.host.directory().join("stdin")).unwrap();

    // SIGQUIT asks for a core, which there is none of.
    let pid = rustix::process::Pid::from_raw(world.host.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
    let status = world.host.ended(Duration::from_secs(20)).await;
    assert!(
        !std::os::unix::process::ExitStatusExt::core_dumped(&status),
        "{status:?}"
    );

    let mut files = vec![];
    walk(world.host.directory(), &mut files);
    assert!(files.len() > 10, "{files:?}");
    let mut texts: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    texts.push(("the log".into(), world.host.log().into_bytes()));
    for secret in &secrets {
        for (how, needle) in encodings(secret) {
            for (name, text) in &texts {
                let found = memchr::memmem::find(text, &needle).is_some();
                assert!(!found, "{name} holds a secret ({how})");
            }
        }
    }
}
