//! Credentials of the operator's files and environment: each for its own key, fresh, and refused
//! when in doubt.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_policy::{
    Connection, ConnectionName, CredentialOwner, ErrorCode, PrincipalRule, UnixTime,
};
use toolhost_vault::{
    CredentialError, CredentialKey, CredentialProvider, SecretSource, StaticCredential,
    StaticProvider, StaticProviderError, UserId,
};

const SECRET: &str = "tok_acme_0123456789";

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn binding(name: &str) -> Binding {
    let all = ["acme", "globex", "initech"].map(|name| (tenant(name), vec![]));
    let principal =
        Principal::development(&tenant(name), LoopbackOnly::from_listeners(&[]).unwrap());
    Binding::home(Arc::new(principal), &StaticDirectory::new(all).unwrap()).unwrap()
}

fn connection(name: &str, credential_of: CredentialOwner) -> Connection {
    Connection {
        principal: PrincipalRule::Any,
        credential_of,
        credentials: "file".to_owned(),
        ..Connection::new(
            ConnectionName::parse(name).unwrap(),
            "https://billing.example.com".parse().unwrap(),
        )
    }
}

fn key(name: &str, connected: &str) -> CredentialKey {
    CredentialKey::from_binding(
        &binding(name),
        &connection(connected, CredentialOwner::Tenant),
    )
}

fn entry(name: &str, source: SecretSource) -> StaticCredential {
    StaticCredential {
        tenant: tenant(name),
        connection: ConnectionName::parse("billing").unwrap(),
        user: None,
        source,
        attributes: BTreeMap::new(),
        expires_at: None,
    }
}

fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn secret_file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf, StaticProvider) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("billing");
    write(&path, text);
    let provider = StaticProvider::new([entry("acme", SecretSource::File(path.clone()))]).unwrap();
    (directory, path, provider)
}

async fn secret_of(provider: &StaticProvider) -> Result<String, CredentialError> {
    let credential = provider.get(&key("acme", "billing")).await?;
    Ok(String::from_utf8(credential.secret.expose().to_vec()).unwrap())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

#[tokio::test]
async fn each_tenant_gets_its_own_and_an_unknown_one_gets_nothing() {
    let (_directory, path, _) = secret_file("tok_acme_0123456789\n");
    let list = [
        entry("acme", SecretSource::File(path)),
        entry("globex", SecretSource::Env("GLOBEX".to_owned())),
    ];
    let provider = StaticProvider::with_environment(list, |name| {
        (name == "GLOBEX").then(|| "tok_globex_0123456789".into())
    })
    .unwrap();
    let acme = provider.get(&key("acme", "billing")).await.unwrap();
    let globex = provider.get(&key("globex", "billing")).await.unwrap();
    assert_eq!(acme.secret.expose(), b"tok_acme_0123456789");
    assert_eq!(globex.secret.expose(), b"tok_globex_0123456789");
    assert_ne!(acme.version, globex.version);
    for (name, connected) in [
        ("initech", "billing"),
        ("acme", "support"),
        ("globex", "support"),
    ] {
        let refused = provider.get(&key(name, connected)).await.unwrap_err();
        assert_eq!(refused, CredentialError::NotConnected, "{name}/{connected}");
    }
}

#[tokio::test]
async fn a_tenants_credential_is_never_a_users() {
    let provider = |user| {
        let one = StaticCredential {
            user,
            ..entry("acme", SecretSource::Env("X".to_owned()))
        };
        StaticProvider::with_environment([one], |_| Some(SECRET.into())).unwrap()
    };
    let of_user = CredentialKey::from_binding(
        &binding("acme"),
        &connection("billing", CredentialOwner::User),
    );
    let user = |issuer: &str, subject: &str| {
        Some(UserId {
            issuer: issuer.into(),
            subject: subject.into(),
        })
    };
    let caller = of_user.user().cloned().unwrap();

    assert_eq!(
        provider(None).get(&of_user).await.unwrap_err(),
        CredentialError::NotConnected
    );
    assert!(
        provider(user(&caller.issuer, &caller.subject))
            .get(&of_user)
            .await
            .is_ok()
    );
    for other in [
        user("https://other.example", &caller.subject),
        user(&caller.issuer, "else"),
    ] {
        assert_eq!(
            provider(other.clone()).get(&of_user).await.unwrap_err(),
            CredentialError::NotConnected
        );
        assert_eq!(
            provider(other)
                .get(&key("acme", "billing"))
                .await
                .unwrap_err(),
            CredentialError::NotConnected
        );
    }
}

#[tokio::test]
async fn from_outside_there_is_no_credential_or_it_cannot_be_had_now_and_no_reason() {
    for error in [CredentialError::NotConnected, CredentialError::Expired] {
        assert_eq!(error.public(), CredentialError::NotConnected.public());
        assert_eq!(error.public().code, ErrorCode::NotConnected);
    }
    for why in ["its file is gone", "its provider did not answer"] {
        let public = CredentialError::Unavailable(why).public();
        assert_eq!(public, CredentialError::Unavailable("").public());
        assert_eq!(public.code, ErrorCode::CredentialUnavailable);
        assert_ne!(public.code, CredentialError::NotConnected.public().code);
    }
    let later = CredentialError::RetryAfter(7).public();
    assert_eq!(
        (later.code, later.retry_after),
        (ErrorCode::CredentialUnavailable, Some(7))
    );
}

#[tokio::test]
async fn an_expired_credential_is_refused_and_one_that_ends_in_mid_call_is_known() {
    let provider = |expires_at| {
        let one = StaticCredential {
            expires_at,
            ..entry("acme", SecretSource::Env("X".to_owned()))
        };
        StaticProvider::with_environment([one], |_| Some(SECRET.into())).unwrap()
    };
    for past in [0, now() - 1, now()] {
        let refused = provider(Some(past))
            .get(&key("acme", "billing"))
            .await
            .unwrap_err();
        assert_eq!(refused, CredentialError::Expired);
        assert_eq!(provider(Some(past)).problems().len(), 1);
    }
    let credential = provider(Some(now() + 20))
        .get(&key("acme", "billing"))
        .await
        .unwrap();
    assert!(credential.is_valid_at(UnixTime::now().after(Duration::from_secs(10))));
    assert!(!credential.is_valid_at(UnixTime::now().after(Duration::from_secs(30))));
    let endless = provider(None).get(&key("acme", "billing")).await.unwrap();
    assert!(endless.is_valid_at(UnixTime::now().after(Duration::from_secs(1 << 32))));
}

#[tokio::test]
async fn a_file_open_to_others_is_refused() {
    let (_directory, path, provider) = secret_file(SECRET);
    assert_eq!(secret_of(&provider).await.unwrap(), SECRET);
    for mode in [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o601, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(
            matches!(
                secret_of(&provider).await,
                Err(CredentialError::Unavailable(_))
            ),
            "{mode:o}"
        );
        assert!(
            provider.problems()[0].to_string().contains("chmod 600"),
            "{mode:o}"
        );
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(secret_of(&provider).await.unwrap(), SECRET, "{mode:o}");
    }
}

#[tokio::test]
async fn only_a_regular_file_of_a_bounded_size_is_read() {
    let (directory, path, provider) = secret_file("x".repeat(64 << 10));
    assert!(secret_of(&provider).await.is_ok());
    write(&path, "x".repeat((64 << 10) + 1));
    assert_eq!(
        secret_of(&provider).await,
        Err(CredentialError::Unavailable(
            "its file is larger than 64 KiB"
        ))
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(
        secret_of(&provider).await,
        Err(CredentialError::Unavailable(
            "its file is not a regular file"
        ))
    );
    fs::remove_dir(&path).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &path,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
    )
    .unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(5), secret_of(&provider)).await;
    assert_eq!(
        waited.unwrap(),
        Err(CredentialError::Unavailable(
            "its file is not a regular file"
        ))
    );
    fs::remove_file(&path).unwrap();
    let real = directory.path().join("real");
    write(&real, SECRET);
    symlink(&real, &path).unwrap();
    assert_eq!(secret_of(&provider).await.unwrap(), SECRET);
}

#[tokio::test]
async fn a_rotated_or_removed_file_takes_effect_at_the_next_call() {
    let (directory, path, provider) = secret_file("tok_first_0123456789");
    assert_eq!(secret_of(&provider).await.unwrap(), "tok_first_0123456789");
    // In place and of the same length, as fast as the clock of the file system may not notice.
    for round in 0..50 {
        let next = format!("tok_{round:02}_0123456789abc");
        write(&path, &next);
        assert_eq!(secret_of(&provider).await.unwrap(), next);
    }
    let staged = directory.path().join("staged");
    write(&staged, "tok_moved_0123456789");
    fs::rename(&staged, &path).unwrap();
    assert_eq!(secret_of(&provider).await.unwrap(), "tok_moved_0123456789");
    fs::remove_file(&path).unwrap();
    assert_eq!(
        secret_of(&provider).await,
        Err(CredentialError::Unavailable("its file is gone"))
    );
    write(&path, "tok_again_0123456789");
    assert_eq!(secret_of(&provider).await.unwrap(), "tok_again_0123456789");
}

#[tokio::test]
async fn a_settled_file_is_kept_and_still_seen_to_change_even_with_its_times_set_back() {
    let (_directory, path, provider) = secret_file("tok_first_0123456789");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let first = provider.get(&key("acme", "billing")).await.unwrap();
    let again = provider.get(&key("acme", "billing")).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    write(&path, "tok_other_0123456789");
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let other = provider.get(&key("acme", "billing")).await.unwrap();
    assert_eq!(other.secret.expose(), b"tok_other_0123456789");
    assert_ne!(first.version, other.version);
    // Rights that open up afterwards count at once as well.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert!(provider.get(&key("acme", "billing")).await.is_ok());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(provider.get(&key("acme", "billing")).await.is_err());
}

#[tokio::test]
async fn a_file_that_was_only_touched_keeps_its_version() {
    let (_directory, path, provider) = secret_file(SECRET);
    let first = provider.get(&key("acme", "billing")).await.unwrap();
    write(&path, format!("{SECRET}\n"));
    assert_eq!(
        provider.get(&key("acme", "billing")).await.unwrap().version,
        first.version
    );
}

#[tokio::test]
async fn a_missing_source_refuses_its_own_calls_and_no_others() {
    let (_directory, path, _) = secret_file(SECRET);
    let list = [
        entry("acme", SecretSource::File(path)),
        entry("globex", SecretSource::Env("UNSET".to_owned())),
        entry("initech", SecretSource::File("/nonexistent/billing".into())),
    ];
    let provider = StaticProvider::with_environment(list, |_| None).unwrap();
    assert!(secret_of(&provider).await.is_ok());
    for name in ["globex", "initech"] {
        let refused = provider.get(&key(name, "billing")).await.unwrap_err();
        assert!(matches!(refused, CredentialError::Unavailable(_)), "{name}");
    }
    let problems: Vec<String> = provider
        .problems()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        problems,
        [
            "credential globex/billing (environment variable UNSET): the variable is not set",
            "credential initech/billing (file /nonexistent/billing): there is no such file",
        ]
    );
}

#[tokio::test]
async fn a_short_secret_is_refused_with_a_sentence_that_says_why() {
    let (_directory, _path, provider) = secret_file("short\n");
    assert_eq!(
        secret_of(&provider).await,
        Err(CredentialError::Unavailable(
            "the secret is shorter than 12 bytes"
        ))
    );
    let sentence = provider.problems()[0].to_string();
    assert!(
        sentence.contains("shorter than 12 bytes") && !sentence.contains("short\n"),
        "{sentence}"
    );
}

#[test]
fn two_credentials_for_one_key_are_refused() {
    let twice = [
        entry("acme", SecretSource::Env("A".to_owned())),
        entry("acme", SecretSource::Env("B".to_owned())),
    ];
    let refused = StaticProvider::with_environment(twice, |_| None).unwrap_err();
    assert_eq!(
        refused,
        StaticProviderError::Twice("acme/billing".to_owned())
    );
}

#[test]
fn an_attribute_that_could_not_stand_in_a_header_is_refused() {
    let with = |name: &str, value: &str| {
        let attributes = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let one = StaticCredential {
            attributes,
            ..entry("acme", SecretSource::Env("A".to_owned()))
        };
        StaticProvider::with_environment([one], |_| None)
    };
    assert!(with("external_tenant_id", "acct-7").is_ok());
    for (name, value) in [
        ("", "a"),
        ("A", "a"),
        ("a-b", "a"),
        ("a", ""),
        ("a", "x\r\ny"),
        ("a", "x y"),
        ("a", "é"),
    ] {
        assert!(with(name, value).is_err(), "{name:?} {value:?}");
    }
    assert!(with("a", &"x".repeat(1_025)).is_err());
}

#[tokio::test]
async fn nothing_prints_the_secret() {
    let (_directory, _path, provider) = secret_file(SECRET);
    let credential = provider.get(&key("acme", "billing")).await.unwrap();
    let printed = format!(
        "{credential:?} {credential:#?} {provider:?} {:?}",
        provider.problems()
    );
    assert!(!printed.contains(SECRET), "{printed}");
}
