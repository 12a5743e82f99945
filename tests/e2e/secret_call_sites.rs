//! Where a secret is read, and what a guest can name: both are lists, and a line that is added to
//! either is a decision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toolhost_harness::root;

/// Every file of the host that reads secrets, how often, and why.
const READS: &[(&str, usize, &str)] = &[
    (
        "admin/src/client.rs",
        1,
        "the operator's secret goes to the host that runs, over its own socket",
    ),
    ("admin/src/keys.rs", 1, "the audit chains are sealed"),
    (
        "cli/src/config/store.rs",
        1,
        "the password of the store's server is put into its url",
    ),
    (
        "cli/src/diagnosis/mod.rs",
        2,
        "the token of a caller whom an operator asks about, or calls for, is verified",
    ),
    (
        "cli/src/secret_ref.rs",
        2,
        "a caller's token is trimmed, and the parts of a credential are made into one",
    ),
    (
        "cli/src/verbs/token.rs",
        1,
        "`host token inspect` reads a token",
    ),
    (
        "cli/src/wiring/callers.rs",
        1,
        "the token of `host call` is verified",
    ),
    (
        "egress/src/scrub/cache.rs",
        1,
        "needles are kept under a digest that covers the secret",
    ),
    (
        "egress/src/scrub/needles.rs",
        2,
        "needles are made of the secret, and short attached values are compared",
    ),
    (
        "egress/src/scrub/parts.rs",
        1,
        "needles are made of each of several secrets",
    ),
    (
        "egress/src/steps/attach.rs",
        10,
        "the secret goes onto the wire: one line a placement, and the URL that holds it",
    ),
    (
        "egress/src/steps/attach_body.rs",
        1,
        "the secret goes into a JSON body",
    ),
    (
        "egress/src/steps/credential.rs",
        1,
        "each of several secrets has its least length",
    ),
    (
        "gateway/src/metrics_server.rs",
        1,
        "the digest of the scrapers' token is kept",
    ),
    (
        "gateway/src/stdio_caller.rs",
        1,
        "the caller's own token is verified",
    ),
    (
        "oauth/src/client.rs",
        1,
        "a client's secret goes to the token and introspection endpoints",
    ),
    (
        "oauth/src/form.rs",
        1,
        "a token, a code or a client's secret goes into the form of a request",
    ),
    ("sandbox/src/artefact.rs", 1, "artefacts are authenticated"),
    ("store/src/keys/key_wrap.rs", 1, "a space's key is wrapped"),
    (
        "store/src/keys/master.rs",
        3,
        "the master key is read, written and made into the key that wraps",
    ),
    (
        "store/src/keys/space_key.rs",
        3,
        "subkeys are made of a space's key, and two keys are compared",
    ),
    (
        "store/src/postgres/address.rs",
        1,
        "the url of the server has the password of the login role",
    ),
    (
        "tenancy/src/bearer_token.rs",
        2,
        "the caller's token goes to its tenant authority: as a header, or in a form; the authority's own is verified",
    ),
    (
        "tenancy/src/dev/key.rs",
        4,
        "the development key is written, read and used to sign",
    ),
    (
        "vault/src/aws/own_identity.rs",
        1,
        "the host's own key goes to Amazon's SDK, which signs with it",
    ),
    (
        "vault/src/cached_provider/slot.rs",
        2,
        "a secret that was fetched again is compared with the last one",
    ),
    (
        "vault/src/file.rs",
        1,
        "what was read from a file is checked",
    ),
    (
        "vault/src/kv/auth.rs",
        1,
        "the host's own secret id goes to the login of a key/value store",
    ),
    (
        "vault/src/login/proof.rs",
        2,
        "the verifier of a login is sealed with its state, and its challenge is made",
    ),
    (
        "vault/src/oauth/refresh.rs",
        2,
        "a refresh token that came back is compared with the one that was sent",
    ),
    (
        "vault/src/provider_endpoint.rs",
        1,
        "the host's own secret goes to a system that keeps credentials, in a header",
    ),
    (
        "vault/src/sealed/change.rs",
        2,
        "what the operator gives, and what follows it, is checked before it is sealed",
    ),
    (
        "vault/src/sealed/record.rs",
        2,
        "the secret is sealed, and its fingerprint is made",
    ),
    (
        "vault/src/secret_comparison.rs",
        1,
        "secrets of several tenants are compared, by digests that go with the comparison",
    ),
    (
        "vault/src/static_provider.rs",
        2,
        "a secret that was read again is compared with the last one",
    ),
];

fn files(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
}

/// The code of a file before its unit tests, without comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn host_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for room in std::fs::read_dir(root().join("host")).unwrap() {
        files(&room.unwrap().path().join("src"), "rs", &mut found);
    }
    found
}

#[test]
fn secrets_are_read_where_this_list_says_and_nowhere_else() {
    let mut seen = BTreeMap::new();
    for path in host_sources() {
        let is_test = path.ends_with("testing.rs") || path.ends_with("tests.rs");
        let code = code(&path);
        // However the call is written: with spaces, as a path, or over two lines.
        let count = code.matches("expose").count() - code.matches("fn expose").count();
        if count > 0 && !is_test {
            let name = path
                .strip_prefix(root().join("host"))
                .unwrap()
                .to_string_lossy()
                .into_owned();
            seen.insert(name, count);
        }
    }
    let listed: BTreeMap<_, _> = READS
        .iter()
        .map(|(name, count, _)| ((*name).to_owned(), *count))
        .collect();
    assert_eq!(
        seen, listed,
        "a secret is read in another place, or another number of times, than READS says"
    );
}

/// Who makes an operator, which reaches every tenant's space, and why. No door for callers is among
/// them.
const OPERATORS: &[(&str, &str)] = &[
    ("admin/src/admin.rs", "the operator's own requests"),
    (
        "cli/src/diagnosis/connection_test.rs",
        "an operator tries a connection with a tenant's credential, and is told nothing of it",
    ),
    (
        "cli/src/diagnosis/explain.rs",
        "an operator who asks what would become of a request is told the credential's fingerprint",
    ),
    (
        "cli/src/wiring/data_directory.rs",
        "the directory is told whose backup was brought back",
    ),
    (
        "cli/src/wiring/host_storage.rs",
        "the spaces of configured tenants are made, in memory",
    ),
    (
        "cli/src/wiring/tenants.rs",
        "the same in the store, and the directory gets them",
    ),
    (
        "gateway/src/switching/sweep.rs",
        "what is idle is removed from every space; nothing of it is handed to anybody",
    ),
    (
        "store/src/embedded/store.rs",
        "the store names the spaces that it finds recorded",
    ),
    (
        "store/src/space.rs",
        "the store and the keyring name the spaces that they find by their labels",
    ),
    (
        "vault/src/key.rs",
        "a login goes on for the account that the installation sealed into its state",
    ),
    (
        "vault/src/static_provider.rs",
        "the configuration names tenants",
    ),
];

#[test]
fn an_operator_is_made_where_this_list_says_and_nowhere_else() {
    let mut seen: Vec<String> = host_sources()
        .into_iter()
        .filter(|path| {
            let is_test = path.ends_with("testing.rs") || path.ends_with("tests.rs");
            !is_test
                && code(path).contains("of_this_process")
                && !path.ends_with("identity/src/space.rs")
        })
        .map(|path| {
            path.strip_prefix(root().join("host"))
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    seen.sort();
    let listed: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        seen, listed,
        "an operator is made in another place than OPERATORS says"
    );
}

#[test]
fn a_secret_has_no_way_out_but_expose() {
    let text = std::fs::read_to_string(root().join("host/policy/src/secret.rs")).unwrap();
    let code = &text[..text.find("#[cfg(test)]").unwrap()];
    for way in [
        "Display",
        "Serialize",
        "Clone",
        "PartialEq",
        "Deref",
        "AsRef",
        "Borrow",
        "Into<",
        "Hash",
        "Index",
    ] {
        let is_derived = code
            .lines()
            .any(|line| !line.trim_start().starts_with("//") && line.contains(way));
        assert!(!is_derived, "Secret got {way}");
    }
    let public: Vec<_> = code
        .lines()
        .filter(|line| line.trim_start().starts_with("pub fn"))
        .collect();
    assert_eq!(public.len(), 4, "new, expose, len, is_empty: {public:?}");
}

#[test]
fn the_contract_names_no_tenant_secret_credential_or_token() {
    let mut interfaces = 0;
    for entry in std::fs::read_dir(root().join("wit")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|own| own == "wit") {
            interfaces += 1;
            let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
            for word in [
                "tenant",
                "secret",
                "credential",
                "token",
                "password",
                "api-key",
                "bearer",
                "authoriz",
            ] {
                assert!(!text.contains(word), "{} says {word:?}", path.display());
            }
        }
    }
    assert!(interfaces >= 7, "{interfaces} files were read");
}

#[test]
fn no_source_of_the_host_prints_or_follows_a_redirect_or_a_proxy() {
    // Clippy denies the macros; these are what it does not know.
    for path in host_sources() {
        let code = code(&path);
        let name = path.strip_prefix(root()).unwrap().display();
        let is_door = path.starts_with(root().join("host/cli"));
        for word in [
            "reqwest",
            "danger_accept_invalid",
            "accept_invalid_certs",
            "HTTP_PROXY",
            "io::stdout()",
            "inherit_stdio",
            "inherit_env",
            "preopened_dir",
        ] {
            let is_allowed = word == "io::stdout()"
                && (is_door || path.ends_with("stdio.rs") || path.ends_with("worker.rs"));
            assert!(is_allowed || !code.contains(word), "{name} says {word:?}");
        }
    }
}

/// Who reads the machine's clock beside `UnixTime`, and why: none of them to tell what has expired.
const CLOCKS: &[(&str, &str)] = &[
    (
        "egress/src/steps/response_headers.rs",
        "a date of an answer is told as seconds from now",
    ),
    ("policy/src/unix_time.rs", "the one clock"),
    ("sandbox/src/clock.rs", "what a guest is told"),
    (
        "vault/src/aws/own_identity.rs",
        "Amazon's SDK takes nothing else",
    ),
    (
        "vault/src/file.rs",
        "held against the times of files, in parts of a second",
    ),
];

/// The host's source files whose code has a text, of those that count; by their paths below `host`.
fn files_that_hold(text: &str, counts: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut files: Vec<String> = host_sources()
        .into_iter()
        .filter(|path| counts(path) && code(path).contains(text))
        .map(|path| {
            let name = path.strip_prefix(root().join("host")).unwrap();
            name.to_string_lossy().into_owned()
        })
        .collect();
    files.sort();
    files
}

#[test]
fn seconds_are_read_from_one_clock() {
    let seen = files_that_hold("SystemTime::now", |_| true);
    let listed: Vec<&str> = CLOCKS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        seen, listed,
        "the clock is read in another place: what has expired is asked of UnixTime, or of the store that several hosts share"
    );
}

/// Who asks what time this machine has, and why another host's clock has no say in it.
const OWN_TIME: &[(&str, &str)] = &[
    (
        "cli/src/diagnosis/connection_test.rs",
        "for how long a person waits",
    ),
    ("cli/src/diagnosis/explain.rs", "shown"),
    ("cli/src/verbs/doctor/data.rs", "shown"),
    (
        "cli/src/verbs/token.rs",
        "a token for development, and a look at one",
    ),
    (
        "egress/src/quarantine/ledger.rs",
        "shown; nothing is decided by it",
    ),
    (
        "egress/src/steps/credential.rs",
        "the end of this very call",
    ),
    (
        "gateway/src/caller.rs",
        "the end of a caller's token, with the leeway",
    ),
    (
        "gateway/src/connect/mod.rs",
        "shown; what counts is sealed by the store's clock",
    ),
    ("gateway/src/mcp/expiring_stream.rs", "the same"),
    ("store/src/embedded/restore.rs", "written down"),
    ("store/src/store.rs", "a store of one host"),
    ("tenancy/src/clock.rs", "the end of tokens, with the leeway"),
    (
        "vault/src/cached_provider/provider.rs",
        "an access token that this process got",
    ),
    ("vault/src/cached_provider/slot.rs", "the same"),
    ("vault/src/oauth/endpoint.rs", "the same"),
    ("vault/src/provider.rs", "what is usable now, whoever asks"),
    (
        "vault/src/sealed/change.rs",
        "the end that an operator has set",
    ),
    ("vault/src/sealed/vault.rs", "the same"),
    ("vault/src/static_provider.rs", "the same"),
];

/// A14: what one host writes down and another compares is by the clock of the store that they
/// share.
#[test]
fn what_hosts_compare_is_by_the_clock_of_their_store() {
    let seen = files_that_hold("UnixTime::now", |path| !path.ends_with("tests.rs"));
    let listed: Vec<&str> = OWN_TIME.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        seen, listed,
        "this machine's time is asked in another place: what another host may compare is Store::now's"
    );
}
