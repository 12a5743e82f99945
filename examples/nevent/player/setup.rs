use std::sync::Arc;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use toolhost_examples::player::{self, OutsideSystem};
use toolhost_harness::Host;
use toolhost_harness::host::write;

/// The address of the company's API in `host.toml`; here it takes a free port.
const UPSTREAM: &str = "127.0.0.1:8098";

/// The plugins of `host.toml`.
const PLUGINS: [&str; 2] = ["nevent", "segments"];

/// Both programs running, with the example's own `host.toml`.
pub(super) struct NeventSetup {
    pub(super) host: Host,
    pub(super) upstream: OutsideSystem,
    password: String,
    pub(super) directory: Arc<TempDir>,
}

impl NeventSetup {
    pub(super) fn set_up() -> anyhow::Result<Self> {
        let directory = Arc::new(tempfile::tempdir()?);
        let place = directory.path();
        let secret = player::secret_file(place, "password", "pw_");
        let upstream =
            OutsideSystem::start("nevent-upstream", place, &["--password".to_owned(), secret])?;
        let configuration = player::with_addresses(
            "examples/nevent/host.toml",
            &[(UPSTREAM, &upstream.address)],
        )?;
        write(place, "host.toml", configuration);
        player::copy_components(&PLUGINS, place)?;
        Ok(Self {
            host: Host::start_in(Arc::clone(&directory)),
            upstream,
            password: std::fs::read_to_string(place.join("password"))?,
            directory,
        })
    }

    /// Logs somebody in, at the company and not at the host.
    pub(super) async fn login(&self, user: &str) -> anyhow::Result<String> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client
            .post(format!("{}/login", self.upstream.url()))
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
