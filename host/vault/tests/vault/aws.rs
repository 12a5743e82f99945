//! AWS Secrets Manager by its own SDK, against moto, a real process that speaks its protocol.

use crate::clients;
use crate::server;
use crate::support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use clients::Moto;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use server::{network, place, secret_file};
use support::{key, user_key};
use toolhost_net::{ClientKey, OutboundRequest};
use toolhost_vault::{
    AwsIdentity, AwsSecretsManager, AwsSettings, CredentialError, CredentialProvider as _,
    FRESH_FOR, Grammar, NameTemplate, NameTemplates, user_name,
};

/// What an operator does with Amazon's own tools.
async fn operate(moto: &Moto, operation: &str, body: Value) {
    let mut headers = HeaderMap::new();
    let target = HeaderValue::from_str(&format!("secretsmanager.{operation}")).unwrap();
    headers.insert("x-amz-target", target);
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    let scope = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-central-1/secretsmanager/aws4_request, \
                 SignedHeaders=host, Signature=00";
    headers.insert("authorization", HeaderValue::from_static(scope));
    let place = place(moto.url.clone());
    let question = OutboundRequest {
        destination: &place.destination,
        key: ClientKey::host("test", &moto.url),
        tls: None,
        method: Method::POST,
        headers,
        body: Bytes::from(body.to_string()),
        cap: 1 << 20,
        deadline: Instant::now() + Duration::from_secs(10),
    };
    let answer = network().ask(question).await.unwrap();
    assert_eq!(answer.status, 200, "{operation}: {:?}", answer.body);
}

fn settings(moto: &Moto, directory: &tempfile::TempDir) -> AwsSettings {
    AwsSettings {
        region: "eu-central-1".to_owned(),
        place: Some(place(moto.url.clone())),
        identity: AwsIdentity {
            access_key_id: "AKIATEST".to_owned(),
            secret_access_key: secret_file(directory, "aws", "an-aws-secret-key-0123"),
            session_token: Some(secret_file(
                directory,
                "session",
                "an-aws-session-token-0123",
            )),
        },
        names: NameTemplates {
            tenant: Some(NameTemplate::parse("toolhost/{tenant}/{connection}").unwrap()),
            user: Some(NameTemplate::parse("toolhost/{tenant}/{connection}/{user}").unwrap()),
        },
        grammar: Grammar::Json,
        fresh_for: FRESH_FOR,
    }
}

#[tokio::test]
async fn secrets_manager_gives_each_key_its_own_secret_and_follows_its_changes() {
    let (moto, directory) = (Moto::start(), tempfile::tempdir().unwrap());
    let billing =
        json!({ "secret": "tok_of_acme_0123", "external_tenant_id": "acct-7" }).to_string();
    operate(
        &moto,
        "CreateSecret",
        json!({ "Name": "toolhost/acme/billing", "SecretString": billing }),
    )
    .await;
    let own = user_key("acme", "billing");
    let name = format!("toolhost/acme/billing/{}", user_name(own.user().unwrap()));
    let text = json!({ "secret": "tok_of_a_user_01" }).to_string();
    operate(
        &moto,
        "CreateSecret",
        json!({ "Name": name, "SecretString": text }),
    )
    .await;
    operate(
        &moto,
        "CreateSecret",
        json!({ "Name": "toolhost/acme/odd", "SecretString": "tok_of_acme_0123" }),
    )
    .await;

    let provider = AwsSecretsManager::new(settings(&moto, &directory), network()).unwrap();
    let acme = key("acme", "billing");
    let first = provider.get(&acme).await.unwrap();
    assert_eq!(first.secret.expose(), b"tok_of_acme_0123");
    assert_eq!(first.attributes["external_tenant_id"], "acct-7");
    assert_eq!(
        provider.get(&own).await.unwrap().secret.expose(),
        b"tok_of_a_user_01"
    );
    for none in [
        key("globex", "billing"),
        key("acme", "support"),
        user_key("globex", "billing"),
    ] {
        assert_eq!(
            provider.get(&none).await.unwrap_err(),
            CredentialError::NotConnected,
            "{none}"
        );
    }
    let odd = provider.get(&key("acme", "odd")).await.unwrap_err();
    assert!(matches!(odd, CredentialError::Unavailable(_)), "{odd}");

    // Rotated, and then marked for deletion: each counts within a second.
    let next = json!({ "secret": "tok_of_acme_next" }).to_string();
    operate(
        &moto,
        "PutSecretValue",
        json!({ "SecretId": "toolhost/acme/billing", "SecretString": next }),
    )
    .await;
    tokio::time::sleep(FRESH_FOR).await;
    let second = provider.get(&acme).await.unwrap();
    assert_eq!(second.secret.expose(), b"tok_of_acme_next");
    assert_ne!(second.version, first.version);
    operate(
        &moto,
        "DeleteSecret",
        json!({ "SecretId": "toolhost/acme/billing" }),
    )
    .await;
    tokio::time::sleep(FRESH_FOR).await;
    assert_eq!(
        provider.get(&acme).await.unwrap_err(),
        CredentialError::NotConnected
    );

    let text = AwsSettings {
        grammar: Grammar::Text,
        ..settings(&moto, &directory)
    };
    let provider = AwsSecretsManager::new(text, network()).unwrap();
    let whole = provider.get(&key("acme", "odd")).await.unwrap();
    assert_eq!(whole.secret.expose(), b"tok_of_acme_0123");
}

#[tokio::test]
async fn settings_that_could_reach_elsewhere_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let make = |change: fn(&mut AwsSettings)| {
        let mut settings = AwsSettings {
            region: "eu-central-1".to_owned(),
            place: None,
            identity: AwsIdentity {
                access_key_id: "AKIATEST".to_owned(),
                secret_access_key: secret_file(&directory, "aws", "an-aws-secret-key-0123"),
                session_token: None,
            },
            names: NameTemplates {
                tenant: Some(NameTemplate::parse("{tenant}/{connection}").unwrap()),
                user: None,
            },
            grammar: Grammar::Json,
            fresh_for: FRESH_FOR,
        };
        change(&mut settings);
        AwsSecretsManager::new(settings, network()).map(|_| ())
    };
    assert!(make(|_| {}).is_ok());
    for region in ["", "evil.example/", "eu-central-1.evil.example", "EU"] {
        let directory = tempfile::tempdir().unwrap();
        let settings = AwsSettings {
            region: region.to_owned(),
            place: None,
            identity: AwsIdentity {
                access_key_id: "AKIATEST".to_owned(),
                secret_access_key: secret_file(&directory, "aws", "an-aws-secret-key-0123"),
                session_token: None,
            },
            names: NameTemplates::default(),
            grammar: Grammar::Json,
            fresh_for: FRESH_FOR,
        };
        assert!(
            AwsSecretsManager::new(settings, network()).is_err(),
            "{region}"
        );
    }
    assert!(make(|settings| settings.names = NameTemplates::default()).is_err());
    assert!(make(|settings| settings.identity.access_key_id = "a b".to_owned()).is_err());
    assert!(make(|settings| settings.fresh_for = Duration::from_secs(301)).is_err());
}

#[tokio::test]
async fn a_secret_of_another_name_or_endless_or_of_a_redirect_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let value = json!({ "secret": "tok_of_globex_012" }).to_string();
    let good = json!({ "Name": "toolhost/acme/billing", "SecretString": value, "VersionId": "v" });
    let other =
        json!({ "Name": "toolhost/globex/billing", "SecretString": value, "VersionId": "v" });
    let none = json!({ "Name": "toolhost/acme/billing", "VersionId": "v" });
    for (status, answer, is_good) in [
        (200, good.clone(), true),
        (200, other, false),
        (200, none, false),
        (307, good, false),
    ] {
        let server = server::Server::saying(status, &answer.to_string()).await;
        let settings = AwsSettings {
            region: "eu-central-1".to_owned(),
            place: Some(server.place("/")),
            identity: AwsIdentity {
                access_key_id: "AKIATEST".to_owned(),
                secret_access_key: secret_file(&directory, "aws", "an-aws-secret-key-0123"),
                session_token: None,
            },
            names: NameTemplates {
                tenant: Some(NameTemplate::parse("toolhost/{tenant}/{connection}").unwrap()),
                user: None,
            },
            grammar: Grammar::Json,
            fresh_for: FRESH_FOR,
        };
        let provider = AwsSecretsManager::new(settings, network()).unwrap();
        assert_eq!(
            provider.get(&key("acme", "billing")).await.is_ok(),
            is_good,
            "{status} {answer}"
        );
        assert_eq!(server.count(), 1, "once, and nowhere else");
        let asked = &server.asked()[0];
        assert!(
            asked.body.contains(r#""toolhost/acme/billing""#),
            "{}",
            asked.body
        );
        let signed = asked.header("authorization");
        assert!(
            signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIATEST/"),
            "{signed}"
        );
        assert!(!signed.contains("an-aws-secret-key"));
    }
}
