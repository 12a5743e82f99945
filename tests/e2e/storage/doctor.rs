use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use toolhost_harness::billing;

use crate::storage::World;

/// The verdict on one thing.
fn verdict(report: &Value, what: &str) -> String {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["what"] == what);
    check.unwrap_or_else(|| panic!("{what}: {report}"))["verdict"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_doctor_looks_at_rights_disk_clock_keys_store_and_chains() {
    let mut world = World::start().await;
    world.set("acme", &billing::token("acme"));
    let doctor = |world: &World| world.host.verb(&["doctor", "--output", "json"]).json();
    let well = doctor(&world);
    for what in ["data directory", "disk", "clock", "store", "audit"] {
        assert_eq!(verdict(&well, what), "ok", "{well}");
    }
    world.host.terminate();
    world.host.ended(Duration::from_secs(20)).await;
    let data = world.host.directory().join("data");

    let chain = data.join("audit/tenants/acme/000001.jsonl");
    let whole = std::fs::read_to_string(&chain).unwrap();
    std::fs::write(&chain, whole.replace("\"set\"", "\"put\"")).unwrap();
    assert_eq!(verdict(&doctor(&world), "audit"), "failed");
    std::fs::write(&chain, whole).unwrap();

    let key = data.join("keys/tenants/globex.key");
    let sealed = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert_eq!(verdict(&doctor(&world), "store"), "failed");
    std::fs::write(&key, sealed).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();

    let host = data.join("audit/host/000001.jsonl");
    let records = std::fs::read_to_string(&host).unwrap();
    std::fs::write(&host, records.replace("\"time\":\"20", "\"time\":\"21")).unwrap();
    assert_eq!(verdict(&doctor(&world), "clock"), "failed");
    std::fs::write(&host, records).unwrap();

    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let open = doctor(&world);
    assert_eq!(verdict(&open, "data directory"), "failed");
    assert_eq!(verdict(&open, "store"), "failed", "nothing is opened in it");
}
