//! What is wrong with plugins, configuration, credentials, ports and directories.

use super::*;

/// Another test may have the port that a host takes where nothing is said.
const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[test]
fn a_plugin_alone_is_told_every_missing_piece_with_its_flag() {
    let directory = directory();
    let ended = host::run(directory.path(), &["run", "--plugin", &billing()]);
    let says = [
        "3 things are missing",
        "--connection billing=URL",
        "--credential billing=",
        "[credentials.TENANT.billing]",
        "--dev-tenant NAME",
        "[[issuers]]",
    ];
    refused(&ended, USAGE, &says);
    // One piece less at each step, until what is left is the grant.
    let plugin = billing();
    let base = [
        "run",
        "--plugin",
        &plugin,
        "--dev-tenant",
        "acme",
        ANY_PORT[0],
        ANY_PORT[1],
    ];
    refused(
        &host::run(directory.path(), &base),
        USAGE,
        &["2 things are missing"],
    );
    let with = [&base[..], &["--connection", "billing=http://127.0.0.1:9"]].concat();
    refused(
        &host::run(directory.path(), &with),
        USAGE,
        &["one thing is missing", "tenant acme's credential"],
    );
    host::write(directory.path(), "secret", "tok_live_0123456789");
    let with = [&with[..], &["--credential", "billing=@secret"]].concat();
    refused(
        &host::run(directory.path(), &with),
        REFUSED,
        &["--yes", "plugin billing", "GET /v1/invoices"],
    );
}

#[test]
fn files_that_are_no_plugin_are_told_apart() {
    let directory = directory();
    let component =
        wat::parse_str("(component (import \"acme:disk/files@1.0.0\" (instance)))").unwrap();
    let nested = {
        let mut text = String::from("(component (type $t0 (tuple u8 u8))");
        for level in 1..2_000 {
            text.push_str(&format!(
                "(type $t{level} (tuple $t{} $t{}))",
                level - 1,
                level - 1
            ));
        }
        wat::parse_str(text + ")").unwrap()
    };
    let mut truncated = guests::component("echo");
    truncated.truncate(50_000);
    let files: [(&str, Vec<u8>, &[&str]); 9] = [
        ("text", b"hello, world".to_vec(), &["not WebAssembly"]),
        ("nothing", Vec::new(), &["not WebAssembly"]),
        (
            "core",
            wat::parse_str("(module)").unwrap(),
            &["core module", "without component types"],
        ),
        (
            "imports",
            component,
            &["imports what this host does not offer", "acme:disk/files"],
        ),
        ("large", vec![0; 33 << 20], &["component_bytes", "33554432"]),
        (
            "elf",
            b"\x7fELF\x02\x01\x01\0rest".to_vec(),
            &["precompiled"],
        ),
        ("truncated", truncated, &["does not parse"]),
        ("nested", nested, &[]),
        ("empty", b"\0asm\x0d\0\x01\0".to_vec(), &["does not export"]),
    ];
    for (name, bytes, says) in files {
        let file = format!("{name}.wasm");
        host::write(directory.path(), &file, &bytes);
        let ended = host::run(
            directory.path(),
            &[
                &["run", "--plugin", &file, "--dev-tenant", "acme", "--yes"][..],
                &ANY_PORT,
            ]
            .concat(),
        );
        refused(&ended, PLUGIN, &[&[file.as_str()], says].concat());
        let sentence = ended.stderr.lines().last().unwrap();
        assert!(sentence.len() < 1_000, "{name}: {sentence}");
    }
    let gone = host::run(
        directory.path(),
        &[
            &["run", "--plugin", "gone.wasm", "--dev-tenant", "acme"][..],
            &ANY_PORT,
        ]
        .concat(),
    );
    refused(&gone, USAGE, &["gone.wasm", "No such file"]);
}

/// What lies about itself is found when it is asked for its tools, before anything is served.
#[test]
fn plugins_that_describe_themselves_badly_are_not_served() {
    let directory = directory();
    let liars = [
        "liar-trap",
        "liar-failing",
        "liar-duplicate",
        "liar-name",
        "liar-schema",
        "liar-schema-huge",
        "liar-schema-not-an-object",
        "liar-many",
        "liar-spinning",
    ];
    for name in liars {
        let file = guests::path(name).display().to_string();
        let ended = host::run(
            directory.path(),
            &[
                &["run", "--plugin", &file, "--dev-tenant", "acme", "--yes"][..],
                &ANY_PORT,
            ]
            .concat(),
        );
        refused(&ended, PLUGIN, &[]);
    }
}

#[test]
fn mistakes_in_the_configuration_are_told_by_line_and_key() {
    let directory = directory();
    let connection = "[connections.billing]\nbase = \"https://billing.example.com\"\n";
    let issuer = "[[issuers]]\nissuer = \"https://idp.example.com\"\naudience = \"a\"\n";
    let files: [(String, &[&str]); 14] = [
        (
            "[server]\nlisten = \"127.0.0.1:1\"\nlisen = 1\n".into(),
            &["line 3", "server.lisen", "did you mean listen?"],
        ),
        ("[server\n".into(), &["line 1"]),
        (
            "[serber]\n".into(),
            &["line 1", "serber", "did you mean server?"],
        ),
        ("[server]\nslots = \"many\"\n".into(), &["line 2", "slots"]),
        (
            "[server]\nlisten = \"everywhere\"\n".into(),
            &["line 2", "server.listen"],
        ),
        (
            "\n[limits]\nwall_ms = 0\n".into(),
            &["line", "limits.wall_ms"],
        ),
        (
            "[limits]\nwall_sm = 1\n".into(),
            &["line 2", "limits.wall_sm", "did you mean wall_ms?"],
        ),
        (
            format!("{connection}auth = {{ type = \"beerer\" }}\n"),
            &["line 3", "connections.billing.auth", "bearer"],
        ),
        (
            format!("{connection}headers = {{ Authorization = \"x\" }}\n"),
            &["billing"],
        ),
        (
            "[connections.billing]\nbase = \"http://billing.example.com\"\n".into(),
            &["line 2", "allow_http"],
        ),
        (
            "[connections.billing]\nbase = \"https://127.0.0.1\"\n".into(),
            &["line 2", "allow_loopback"],
        ),
        (
            format!("{issuer}tenant_claim = \"/t\"\n"),
            &["line 2", "jwks_url", "discovery"],
        ),
        (
            format!("{issuer}tenant_claim = \"t\"\njwks_file = \"k\"\n"),
            &["line 4", "tenant_claim"],
        ),
        ("[tenants.Acme]\n".into(), &["line 1", "tenants.Acme"]),
    ];
    for (text, says) in files {
        host::write(directory.path(), "host.toml", &text);
        let ended = host::run(
            directory.path(),
            &["run", "--plugin", &echo(), "--dev-tenant", "acme", "--yes"],
        );
        refused(&ended, USAGE, &[&["host.toml"], says].concat());
        assert_eq!(ended.stderr.lines().count(), 1, "one sentence: {ended:?}");
    }
    let missing = host::run(directory.path(), &["run", "--config", "other.toml"]);
    refused(&missing, USAGE, &["other.toml"]);
}

#[test]
fn a_credential_that_cannot_be_read_is_named_and_its_content_is_not() {
    let directory = directory();
    let plugin = billing();
    let base = [
        "--plugin",
        &plugin,
        "--dev-tenant",
        "acme",
        "--connection",
        "billing=http://127.0.0.1:9",
        "--yes",
    ];
    let call = |credential: &str| {
        host::run(
            directory.path(),
            &[
                &["call", "list_invoices", "--credential", credential],
                &base[..],
            ]
            .concat(),
        )
    };
    refused(&call("billing=@gone"), REFUSED, &["billing"]);
    refused(&call("billing=env:NOT_SET"), REFUSED, &["billing"]);
    refused(
        &call("billing=tok_live_0123456789"),
        USAGE,
        &["@FILE or env:VAR"],
    );
    let path = host::write(directory.path(), "open", "tok_live_0123456789");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let open = call("billing=@open");
    refused(&open, REFUSED, &["billing"]);
    assert!(!open.stderr.contains("tok_live"), "{open:?}");
}

#[test]
fn a_busy_port_is_told_before_anything_slow() {
    let directory = directory();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let base = ["run", "--plugin", &echo(), "--dev-tenant", "acme", "--yes"].map(str::to_owned);
    for (flag, also) in [
        ("--listen", None),
        ("--metrics-listen", Some("127.0.0.1:0")),
    ] {
        let mut words: Vec<&str> = base.iter().map(String::as_str).collect();
        words.extend([flag, &address]);
        if let Some(listen) = also {
            words.extend(["--listen", listen]);
        }
        refused(
            &host::run(directory.path(), &words),
            USAGE,
            &[&address, "in use", flag],
        );
    }
}

#[test]
fn a_cache_directory_that_is_not_the_hosts_own_is_refused() {
    let directory = directory();
    let run = |cache: &Path| {
        let cache = cache.display().to_string();
        let words = [
            "call",
            "echo",
            "--args",
            "{\"message\": \"m\"}",
            "--plugin",
            &echo(),
            "--dev-tenant",
            "acme",
            "--yes",
        ];
        host::run(
            directory.path(),
            &[&words[..], &["--cache-dir", &cache]].concat(),
        )
    };
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    refused(&run(&open), USAGE, &["open"]);
    let real = directory.path().join("real");
    fs::create_dir(&real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink(&real, directory.path().join("link")).unwrap();
    let file = host::write(directory.path(), "file", "");
    refused(&run(&file), USAGE, &["file"]);
    refused(&run(&file.join("below")), USAGE, &["below"]);
    // Nothing can be written below /proc, whoever asks.
    refused(
        &run(Path::new("/proc/toolhost")),
        USAGE,
        &["/proc/toolhost"],
    );
    let good = run(&directory.path().join("new/cache"));
    assert_eq!(good.status, 0, "{good:?}");
    let mode = fs::metadata(directory.path().join("new/cache"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}
