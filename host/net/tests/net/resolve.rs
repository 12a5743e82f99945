//! Which hosts and addresses are approved: attacks T2 (metadata), T3 (spellings) and T4
//! (rebinding).

use crate::upstream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use toolhost_net::{
    AddressPolicy, ApprovedAddresses, HostNameError, Lookup, NetError, NetErrorKind, Network,
};
use upstream::{Answers, LOOPBACK, network, soon};
use url::{Host, Url};

const ALL: AddressPolicy = AddressPolicy {
    allow_loopback: true,
    allow_private: true,
};
const NONE: AddressPolicy = AddressPolicy {
    allow_loopback: false,
    allow_private: false,
};

async fn resolve(
    network: &Network,
    url: &str,
    policy: &AddressPolicy,
) -> Result<ApprovedAddresses, NetError> {
    let url = Url::parse(url).unwrap();
    network
        .resolve(
            &url.host().unwrap(),
            url.port_or_known_default().unwrap(),
            policy,
            soon(),
        )
        .await
}

/// T3: every spelling of 127.0.0.1 that a URL parser accepts is loopback, and none reaches a name
/// server.
#[tokio::test]
async fn no_spelling_of_an_address_hides_it() {
    let answers = Answers::new(&[&["8.8.8.8"]]);
    let network = Network::new(answers.clone()).unwrap();
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0X7F.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "１２７.０.０.１",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0177.0.0.1]",
    ] {
        let Ok(url) = Url::parse(&format!("http://{host}/")) else {
            continue;
        };
        let refused = network
            .resolve(&url.host().unwrap(), 80, &NONE, soon())
            .await
            .unwrap_err();
        assert!(
            matches!(refused.kind, NetErrorKind::Address(_)),
            "{host}: {refused}"
        );
        assert!(
            network
                .resolve(&url.host().unwrap(), 80, &LOOPBACK, soon())
                .await
                .is_ok(),
            "{host}"
        );
    }
    assert_eq!(answers.asked(), 0);
}

/// T2 and T3: whatever is allowed, these are not.
#[tokio::test]
async fn metadata_and_special_addresses_are_refused_in_every_form() {
    let network = network();
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "0.0.0.0",
        "0",
        "255.255.255.255",
        "224.0.0.1",
        "198.18.0.1",
        "[::]",
        "[::ffff:a9fe:a9fe]",
        "[::a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[2001:0:a9fe:a9fe::]",
        "[fe80::1]",
        "[fe80::5efe:a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[ff02::1]",
        "[100::1]",
        "[2001:db8::1]",
    ] {
        let refused = resolve(&network, &format!("https://{host}/"), &ALL)
            .await
            .unwrap_err();
        assert!(
            matches!(refused.kind, NetErrorKind::Address(_)),
            "{host}: {refused}"
        );
        assert!(!refused.sent);
    }
}

/// T3: what the URL parser does not make an address of may not become one later.
#[tokio::test]
async fn hosts_that_another_parser_might_take_for_an_address_are_refused() {
    let answers = Answers::new(&[&["8.8.8.8"]]);
    let network = Network::new(answers.clone()).unwrap();
    for (name, why) in [
        ("127.0.0.1", HostNameError::Numeric),
        ("0x7f000001", HostNameError::Numeric),
        ("2130706433", HostNameError::Numeric),
        ("::1", HostNameError::Grammar),
        ("fe80::1%eth0", HostNameError::Grammar),
        ("localhost.", HostNameError::TrailingDot),
        ("127.0.0.1.", HostNameError::TrailingDot),
        ("１２７.0.0.1", HostNameError::Grammar),
        ("a\0.example", HostNameError::Grammar),
        ("metadata.google.internal", HostNameError::Metadata),
    ] {
        let refused = network
            .resolve(&Host::Domain(name), 443, &ALL, soon())
            .await
            .unwrap_err();
        assert_eq!(refused.kind, NetErrorKind::Host(why), "{name}");
    }
    assert_eq!(answers.asked(), 0);
    for url in [
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://127.0.0.1.0x/",
        "https://1.2.3.4.5/",
    ] {
        assert!(Url::parse(url).is_err(), "{url}");
    }
    let dotted = resolve(&network, "https://api.example.com./", &ALL)
        .await
        .unwrap_err();
    assert_eq!(dotted.kind, NetErrorKind::Host(HostNameError::TrailingDot));
}

/// T4: one bad answer among good ones refuses them all.
#[tokio::test]
async fn an_answer_with_one_refused_address_is_refused_whole() {
    for answer in [
        &["8.8.8.8", "127.0.0.1"][..],
        &["127.0.0.1", "8.8.8.8"],
        &["8.8.8.8", "2606:4700::1111", "::ffff:10.0.0.1"],
        &["8.8.8.8", "fd00:ec2::254"],
    ] {
        let network = Network::new(Answers::new(&[answer])).unwrap();
        let refused = resolve(&network, "https://api.example.com/", &NONE)
            .await
            .unwrap_err();
        assert!(
            matches!(refused.kind, NetErrorKind::Address(_)),
            "{answer:?}"
        );
    }
    let many: Vec<String> = (1..=40).map(|n| format!("8.8.8.{n}")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    many.push("169.254.169.254");
    let network = Network::new(Answers::new(&[&many])).unwrap();
    assert!(
        resolve(&network, "https://api.example.com/", &ALL)
            .await
            .is_err(),
        "classified before it is cut"
    );
}

/// T4: each request is approved by its own lookup, and a later answer does not reach an earlier
/// approval.
#[tokio::test]
async fn each_resolution_asks_once_and_stands_for_itself() {
    let answers = Answers::new(&[&["8.8.8.8"], &["169.254.169.254"]]);
    let network = Network::new(answers.clone()).unwrap();
    let first = resolve(&network, "https://api.example.com/", &NONE)
        .await
        .unwrap();
    assert_eq!(answers.asked(), 1);
    let second = resolve(&network, "https://api.example.com/", &NONE).await;
    assert!(second.is_err());
    assert_eq!(answers.asked(), 2);
    assert_eq!(first.addresses(), ["8.8.8.8:443".parse().unwrap()]);
    assert_eq!((first.host(), first.port()), ("api.example.com", 443));
}

#[tokio::test]
async fn the_same_addresses_in_another_order_are_the_same_approval_and_a_mapped_one_is_its_ipv4_address()
 {
    let network = Network::new(Answers::new(&[
        &["8.8.4.4", "8.8.8.8"],
        &["::ffff:8.8.8.8", "8.8.4.4", "8.8.8.8"],
    ]))
    .unwrap();
    let first = resolve(&network, "https://api.example.com/", &NONE)
        .await
        .unwrap();
    let second = resolve(&network, "https://api.example.com/", &NONE)
        .await
        .unwrap();
    assert_eq!(first.addresses(), second.addresses());
    assert_eq!(first.addresses().len(), 2);
}

#[tokio::test]
async fn a_host_without_an_address_is_refused() {
    let refused = resolve(&network(), "https://api.example.com/", &ALL)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, NetErrorKind::NoAddress);
}

#[derive(Debug)]
struct Silent;

impl Lookup for Silent {
    fn lookup<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<std::net::IpAddr>, NetError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_silent_name_server_costs_no_more_than_the_deadline() {
    let network = Network::new(Arc::new(Silent)).unwrap();
    let began = Instant::now();
    let deadline = began + Duration::from_millis(100);
    let refused = network
        .resolve(&Host::Domain("api.example.com"), 443, &ALL, deadline)
        .await
        .unwrap_err();
    assert_eq!((refused.kind, refused.sent), (NetErrorKind::Lookup, false));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn the_system_resolver_knows_localhost_and_it_is_loopback() {
    let network = Network::system().unwrap();
    let approved = resolve(&network, "http://localhost:8080/", &LOOPBACK)
        .await
        .unwrap();
    assert!(
        approved
            .addresses()
            .iter()
            .all(|address| address.ip().is_loopback() && address.port() == 8080)
    );
    let refused = resolve(&network, "http://localhost:8080/", &NONE)
        .await
        .unwrap_err();
    assert!(matches!(refused.kind, NetErrorKind::Address(_)));
}
