//! No environment variable puts a proxy between the host and an upstream (T5).

use crate::upstream;

use std::process::Stdio;

use toolhost_net::{ClientKey, TlsIdentity};
use upstream::{LOOPBACK, OK, Upstream, network, round, soon};

const TARGET: &str = "TOOLHOST_NET_TEST_TARGET";

const PROXY_VARIABLES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The half that runs with the variables set: this test again, in a process of its own.
#[tokio::test]
async fn the_child_sends_two_requests_where_it_is_told_to() {
    let Ok(target) = std::env::var(TARGET) else {
        return;
    };
    let url: url::Url = target.parse().unwrap();
    let network = network();
    let client = network
        .client(
            ClientKey::tenant("acme", "billing", &url),
            &TlsIdentity::cleartext().unwrap(),
        )
        .unwrap();
    assert_eq!(
        &round(&network, &client, &url, soon())
            .await
            .unwrap()
            .into_body()[..],
        b"hi"
    );
    assert_eq!(
        &network
            .fetch(&url, 100, soon(), &LOOPBACK, true)
            .await
            .unwrap()[..],
        b"hi"
    );
}

#[tokio::test]
async fn a_proxy_in_the_environment_sees_nothing() {
    let (origin, proxy) = (Upstream::answering(OK).await, Upstream::answering(OK).await);
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "proxy::the_child_sends_two_requests_where_it_is_told_to",
    ]);
    child
        .env(TARGET, origin.url().as_str())
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .stdout(Stdio::null());
    for name in PROXY_VARIABLES {
        child.env(name, proxy.url().as_str());
    }
    assert!(child.status().await.unwrap().success());
    assert_eq!(origin.heads().len(), 2);
    assert_eq!(proxy.connections(), 0);
}
