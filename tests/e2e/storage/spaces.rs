use std::path::Path;
use std::time::Duration;

use toolhost_harness::billing;

use crate::storage::World;

/// The largest file of a tenant's database.
fn database(world: &World, tenant: &str) -> std::path::PathBuf {
    let directory = world.host.directory().join("data/tenants").join(tenant);
    let mut files = vec![];
    walk(&directory, &mut files);
    files
        .into_iter()
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap()
}

pub(crate) fn walk(directory: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}

#[tokio::test]
async fn a_damaged_tenant_is_refused_others_are_served_and_a_backup_brings_it_back() {
    let mut world = World::start().await;
    for tenant in ["acme", "globex"] {
        world.set(tenant, &billing::token(tenant));
    }
    let backup = world.host.verb(&["store", "backup", "copy"]);
    assert_eq!(backup.status, 0, "{backup:?}");
    assert!(
        backup.stdout.contains("acme") && backup.stdout.contains("HOST"),
        "{}",
        backup.stdout
    );
    assert_ne!(
        world.host.verb(&["store", "backup", "copy"]).status,
        0,
        "it is not empty"
    );

    world.host.kill();
    let path = database(&world, "acme");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&path, bytes).unwrap();
    let World {
        billing,
        issuer,
        host,
    } = world;
    world = World {
        billing,
        issuer,
        host: host.killed_and_started(),
    };

    let (status, code) = world.invoices("acme").await;
    // What it may call stands in its space, and cannot be read.
    assert_eq!((status, code.as_deref()), (500, Some("internal")));
    assert_eq!(world.invoices("globex").await, (200, None));
    let check = world.host.verb(&["store", "check"]);
    assert_eq!(check.status, 5, "{check:?}");
    assert!(
        check.stdout.contains("host store restore"),
        "{}",
        check.stdout
    );

    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let recorded = world
        .host
        .verb(&["audit", "tail", "acme", "-n", "100"])
        .stdout;
    assert_eq!(
        recorded.matches("\"space_quarantined\"").count(),
        1,
        "{recorded}"
    );
    let restored = world
        .host
        .verb(&["store", "restore", "copy", "--tenant", "acme"]);
    assert_eq!(restored.status, 0, "{restored:?}");
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(world.host.verb(&["store", "check"]).status, 0);
    let all = world.host.verb(&["store", "restore", "copy"]);
    assert_eq!(all.status, 2, "a host runs: {all:?}");
    world.host.terminate();
    world.host.ended(Duration::from_secs(20)).await;
    let all = world.host.verb(&["store", "restore", "copy"]);
    assert_eq!(all.status, 0, "{all:?}");
    assert!(all.stdout.contains("kept"), "{}", all.stdout);
}

#[tokio::test]
async fn an_older_state_that_is_put_back_is_refused() {
    let mut world = World::start().await;
    world.set("acme", &billing::token("acme"));
    world.set("globex", &billing::token("globex"));
    world.host.terminate();
    world.host.ended(Duration::from_secs(20)).await;
    let tenants = world.host.directory().join("data/tenants/acme");
    let older = world.host.directory().join("older");
    copy(&tenants, &older);
    let World {
        billing,
        issuer,
        host,
    } = world;
    world = World {
        billing,
        issuer,
        host: host.killed_and_started(),
    };
    assert_eq!(
        world
            .host
            .verb(&["credential", "remove", "acme/billing"])
            .status,
        0
    );
    world.host.kill();
    std::fs::remove_dir_all(&tenants).unwrap();
    copy(&older, &tenants);
    let World {
        billing,
        issuer,
        host,
    } = world;
    world = World {
        billing,
        issuer,
        host: host.killed_and_started(),
    };
    let (status, code) = world.invoices("acme").await;
    assert_eq!(
        (status, code.as_deref()),
        (503, Some("credential_unavailable")),
        "what was removed is not back"
    );
    let list = world.host.verb(&["credential", "list", "acme"]);
    assert!(list.stderr.contains("older"), "{list:?}");
    let list = world.host.verb(&["credential", "list"]).stdout;
    assert!(
        list.contains("globex/billing") && list.contains("older"),
        "{list}"
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
