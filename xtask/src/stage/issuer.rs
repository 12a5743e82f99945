use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use crate::workspace::built;

/// Who signs what `host token mint` makes.
pub(crate) const ISSUER: &str = "https://issuer.localhost";

/// The development keys, with which callers' tokens are minted.
pub(crate) struct DevIssuer {
    program: PathBuf,
    keys: PathBuf,
    audience: &'static str,
}

impl DevIssuer {
    /// Makes the keys, in `keys` of a directory.
    pub(crate) fn new(root: &Path, place: &Path, audience: &'static str) -> anyhow::Result<Self> {
        let issuer = Self {
            program: built(root, "host"),
            keys: place.join("keys"),
            audience,
        };
        issuer.mint(&["--key-only"])?;
        Ok(issuer)
    }

    /// The token of somebody at a tenant.
    pub(crate) fn token(&self, tenant: &str) -> anyhow::Result<String> {
        self.mint(&["--issuer", ISSUER, "--tenant", tenant])
    }

    /// The token of somebody who has a role at a tenant.
    pub(crate) fn token_of_role(&self, tenant: &str, role: &str) -> anyhow::Result<String> {
        self.mint(&["--issuer", ISSUER, "--tenant", tenant, "--role", role])
    }

    fn mint(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.program)
            .args(["token", "mint", "--audience", self.audience, "--keys"])
            .arg(&self.keys)
            .args(arguments)
            .output()?;
        ensure!(
            output.status.success(),
            "no token: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}
