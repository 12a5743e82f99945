use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::stage::{self, HostProcess, Process};
use crate::workspace::{built, target};

/// Where the company's API is in `host.toml`; here it takes a free port.
const UPSTREAM: &str = "127.0.0.1:8098";

/// The plugins of `host.toml`.
const PLUGINS: [&str; 2] = ["nevent", "segments"];

/// Both programs running, with the example's own `host.toml`, in a directory that goes with this.
pub(super) struct NeventSetup {
    pub(super) host: HostProcess,
    pub(super) upstream_url: String,
    /// What crossed the wire.
    pub(super) record: PathBuf,
    password: String,
    _upstream: Process,
    _directory: tempfile::TempDir,
}

impl NeventSetup {
    pub(super) fn set_up(root: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let place = directory.path();
        let record = place.join("wire.jsonl");
        let password = stage::random("pw_")?;
        stage::write(&place.join("password"), &password)?;
        let mut upstream = Command::new(built(root, "nevent-upstream"));
        upstream
            .args(["--listen", "127.0.0.1:0", "--password"])
            .arg(format!("@{}", place.join("password").display()))
            .arg("--record")
            .arg(&record);
        let (upstream, line) = Process::start("nevent-upstream", &mut upstream)?;
        let address = line.strip_prefix("listening on http://");
        let address = address.context("nevent-upstream did not say where it is")?;

        let configuration = root.join("examples/nevent/host.toml");
        let configuration = std::fs::read_to_string(configuration).context("examples/nevent/host.toml")?;
        ensure!(
            configuration.contains(UPSTREAM),
            "examples/nevent/host.toml does not name {UPSTREAM}"
        );
        std::fs::write(place.join("host.toml"), configuration.replace(UPSTREAM, address))?;
        for plugin in PLUGINS {
            let file = format!("{plugin}.wasm");
            let from = target(root).join("guests").join(&file);
            std::fs::copy(&from, place.join(&file)).with_context(|| from.display().to_string())?;
        }
        Ok(Self {
            host: HostProcess::start(root, place)?,
            upstream_url: format!("http://{address}"),
            record,
            password,
            _upstream: upstream,
            _directory: directory,
        })
    }

    /// Logs somebody in, at the company and not at the host.
    pub(super) async fn login(&self, user: &str) -> anyhow::Result<String> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client
            .post(format!("{}/login", self.upstream_url))
            .json(&json!({ "password": self.password, "user": user }))
            .send()
            .await?;
        ensure!(
            answer.status() == 200,
            "{user} cannot log in: {}",
            answer.status()
        );
        let answer: Value = answer.json().await?;
        let token = answer["access_token"].as_str();
        Ok(token.context("the login gave no token")?.to_owned())
    }
}
