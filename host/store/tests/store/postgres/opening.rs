//! Which servers and roles a store is opened with, and how many hosts at once.

use toolhost_policy::Secret;
use toolhost_store::postgres::{Layout, PostgresError, Prefix};
use toolhost_store::{Key, Precondition, Space, Store, StoreError, Table};

use crate::server::Private;
use crate::town::{MASTER, Town};

async fn refused(
    town: &Town,
    change: impl FnOnce(&mut toolhost_store::postgres::PostgresSettings),
) -> PostgresError {
    let mut settings = town.settings();
    change(&mut settings);
    town.try_host(&settings, MASTER).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_start_at_once_on_an_empty_database_all_come_up_and_agree() {
    let town = std::sync::Arc::new(Town::new(Layout::Schema).await);
    let hosts = (0..4_u8).map(|host| {
        let town = town.clone();
        tokio::spawn(async move {
            let store = town.host().await;
            // As the key of the audit chains is made.
            let key = Key::new(Table::AuditKey, &[], b"chains").unwrap();
            let own = vec![host; 32];
            let made = store
                .compare_and_set(&Space::Host, &key, Precondition::Absent, own)
                .await;
            assert!(
                made.is_ok() || made == Err(StoreError::Conflict),
                "{made:?}"
            );
            store.get(&Space::Host, &key).await.unwrap().unwrap().value
        })
    });
    let mut keys = Vec::new();
    for host in hosts.collect::<Vec<_>>() {
        keys.push(host.await.unwrap());
    }
    assert!(
        keys.windows(2).all(|pair| pair[0] == pair[1]),
        "they have one key"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named() {
    let town = Town::new(Layout::Schema).await;
    drop(town.host().await);
    let name = town.name.clone();
    let nowhere = refused(&town, |settings| {
        settings.url = Secret::from("postgres://u@127.0.0.1:1/d".to_owned()).into();
    });
    assert!(matches!(nowhere.await, PostgresError::Unreachable(_)));
    let url = town.url();
    let no_database = refused(&town, |settings| {
        settings.url = Secret::from(url.replacen(&name, "none", 1)).into();
    });
    assert!(matches!(no_database.await, PostgresError::NoDatabase(_)));
    let other_layout = refused(&town, |settings| settings.layout = Layout::Database).await;
    assert!(
        other_layout.to_string().contains("layout"),
        "{other_layout}"
    );
    let master = MASTER.replacen('A', "B", 1);
    let locked = town.try_host(&town.settings(), &master).await.unwrap_err();
    assert!(
        matches!(locked, PostgresError::Store(StoreError::Locked { .. })),
        "{locked}"
    );
    let admin = town.admin(&name).await;
    for (change, undo, word) in [
        ("SUPERUSER", "NOSUPERUSER", "superuser"),
        ("NOCREATEROLE", "CREATEROLE", "make roles"),
        ("BYPASSRLS", "NOBYPASSRLS", "superuser"),
    ] {
        admin
            .batch_execute(&format!("ALTER ROLE {name} {change}"))
            .await
            .unwrap();
        let error = refused(&town, |_| {}).await;
        assert!(matches!(error, PostgresError::Role { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
        admin
            .batch_execute(&format!("ALTER ROLE {name} {undo}"))
            .await
            .unwrap();
    }
    admin
        .batch_execute(&format!("ALTER ROLE {name} INHERIT"))
        .await
        .unwrap();
    let version = admin
        .query_one("SELECT current_setting('server_version_num')::int4", &[])
        .await
        .unwrap();
    if version.get::<_, i32>(0) < 160_000 {
        let error = refused(&town, |_| {}).await;
        assert!(error.to_string().contains("NOINHERIT"), "{error}");
    }
    admin
        .batch_execute(&format!("ALTER ROLE {name} NOINHERIT"))
        .await
        .unwrap();
    admin
        .batch_execute(&format!("UPDATE {name}_host.installation SET version = 2"))
        .await
        .unwrap();
    let newer = refused(&town, |_| {}).await;
    assert!(
        matches!(newer, PostgresError::Newer { found: 2, known: 1 }),
        "{newer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_share_a_server_by_their_prefixes_and_none_takes_anothers() {
    let town = Town::new(Layout::Schema).await;
    drop(town.host().await);
    let mut other = town.settings();
    other.prefix = Prefix::parse("other").unwrap();
    other.prefix = Prefix::parse(&format!("{}b", town.name)).unwrap();
    let second = town.try_host(&other, MASTER).await.unwrap().0;
    let key = crate::place::key("k");
    second
        .put(&Space::Host, &key, b"second".to_vec())
        .await
        .unwrap();
    assert_eq!(
        town.host().await.get(&Space::Host, &key).await.unwrap(),
        None
    );
    // The same prefix in another database of the server.
    let elsewhere = Town::new(Layout::Schema).await;
    let mut settings = elsewhere.settings();
    settings.prefix = Prefix::parse(&town.name).unwrap();
    let taken = elsewhere.try_host(&settings, MASTER).await.unwrap_err();
    assert!(
        taken.to_string().contains("another installation"),
        "{taken}"
    );
    // A lost database beside keys that are there.
    let mut lost = elsewhere.settings();
    lost.prefix = Prefix::parse(&town.name).unwrap();
    lost.keys_url = Some(town.settings().url);
    let refused = elsewhere.try_host(&lost, MASTER).await.unwrap_err();
    assert!(refused.to_string().contains("key of the host"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_be_in_another_database_than_what_they_seal() {
    let (town, keys) = (
        Town::new(Layout::Schema).await,
        Town::new(Layout::Schema).await,
    );
    let mut settings = town.settings();
    settings.keys_url = Some(keys.settings().url);
    let store = town.try_host(&settings, MASTER).await.unwrap().0;
    let (acme, key) = (crate::place::space("acme"), crate::place::key("k"));
    store.create(&crate::place::tenant("acme")).await.unwrap();
    store.put(&acme, &key, vec![1]).await.unwrap();
    let admin = town.admin(&town.name).await;
    let ask = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
    let schema = format!("{}_keys", town.name);
    assert!(admin.query(ask, &[&schema]).await.unwrap().is_empty());
    let beside = keys.admin(&keys.name).await;
    assert_eq!(beside.query(ask, &[&schema]).await.unwrap().len(), 1);
}

/// Over the network, with a password and a certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_by_its_certificate_and_asked_with_the_right_password() {
    let directory = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (ca, key) = (
        directory.path().join("server.pem"),
        directory.path().join("server.key"),
    );
    std::fs::write(&ca, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    if rustix::process::geteuid().is_root() {
        let chown = |path: &std::path::Path| {
            std::process::Command::new("chown")
                .arg("postgres")
                .arg(path)
                .status()
        };
        assert!(chown(&key).unwrap().success() && chown(&ca).unwrap().success());
    }
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = Private::own(
        directory.path(),
        &[
            "listen_addresses = '127.0.0.1'",
            &format!("port = {port}"),
            "ssl = on",
            &format!("ssl_cert_file = '{}'", ca.display()),
            &format!("ssl_key_file = '{}'", key.display()),
        ],
    );
    let hba = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
    std::fs::write(directory.path().join("data/pg_hba.conf"), hba).unwrap();
    let mut superuser = server.server();
    superuser.config.port(port);
    let town = Town::on(superuser, Layout::Schema).await;
    town.admin("postgres")
        .await
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .unwrap();
    let name = &town.name;
    let url = |password: &str, host: &str, mode: &str| {
        Secret::from(format!(
            "postgres://{name}:{password}@{host}:{port}/{name}?sslmode={mode}"
        ))
        .into()
    };
    let right = format!("of-{name}");
    let mut settings = town.settings();
    settings.ca = Some(ca.clone());
    settings.url = url(&right, "localhost", "verify-full");
    // The server may still be reading its file.
    let mut opened = town.try_host(&settings, MASTER).await;
    for _ in 0..20 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        opened = town.try_host(&settings, MASTER).await;
    }
    let (store, _) = opened.unwrap();
    store
        .put(&Space::Host, &crate::place::key("k"), vec![1])
        .await
        .unwrap();
    let wrong = refused(&town, |other| {
        *other = settings.clone();
        other.url = url("wrong", "localhost", "require");
    })
    .await;
    assert!(matches!(wrong, PostgresError::Password(_)), "{wrong}");
    assert!(!format!("{wrong:?}").contains("wrong@"));
    for (host, mode, with_ca) in [
        // Signed by somebody else, another name than the certificate's, and in clear.
        ("localhost", "require", false),
        ("127.0.0.1", "verify-full", true),
        ("localhost", "disable", true),
    ] {
        let error = refused(&town, |other| {
            *other = settings.clone();
            other.url = url(&right, host, mode);
            other.ca = with_ca.then(|| ca.clone());
        })
        .await;
        assert!(
            matches!(
                error,
                PostgresError::Unreachable(_) | PostgresError::Password(_)
            ),
            "{host} {mode}: {error}"
        );
    }
}
