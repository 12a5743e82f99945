use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::server::free_port;
use crate::install::nginx_program;
use crate::stage::{self, Process};

/// Where it listens in `nginx.conf`; here it takes a free port.
const LISTEN: &str = "127.0.0.1:8080";

/// Where the hosts are in `nginx.conf`; here they take free ports.
const HOSTS: [&str; 2] = ["127.0.0.1:8081", "127.0.0.1:8082"];

/// nginx, with the example's own `nginx.conf`.
pub(super) struct Balancer {
    pub(super) url: String,
    process: Process,
}

impl Balancer {
    /// Starts it in a directory of its own, before hosts at these addresses.
    pub(super) fn start(root: &Path, place: &Path, hosts: [&str; 2]) -> anyhow::Result<Self> {
        let mut text = std::fs::read_to_string(root.join("examples/cluster/nginx.conf"))
            .context("examples/cluster/nginx.conf")?;
        let address = format!("127.0.0.1:{}", free_port()?);
        for (there, here) in HOSTS.into_iter().zip(hosts).chain([(LISTEN, address.as_str())]) {
            ensure!(
                text.contains(there),
                "examples/cluster/nginx.conf does not name {there}"
            );
            text = text.replace(there, here);
        }
        std::fs::create_dir(place)?;
        std::fs::write(place.join("nginx.conf"), text)?;
        let mut command = stage::saying_all_on_stdout(&Command::new(nginx_program()));
        command
            .arg("-p")
            .arg(place)
            .args(["-e", "stderr", "-c", "nginx.conf"])
            // One process in the foreground: it ends with the play, and its turns are the same each time.
            .args(["-g", "daemon off; master_process off;"]);
        let (process, line) = Process::start("nginx", &mut command)?;
        // The first notice comes when it listens; what is wrong would come before it.
        ensure!(line.contains("[notice]"), "nginx does not start: {line}");
        Ok(Self {
            url: format!("http://{address}"),
            process,
        })
    }

    pub(super) fn stop(self) -> anyhow::Result<()> {
        let status = self.process.stop()?;
        ensure!(status.success(), "nginx stopped with {status}");
        Ok(())
    }
}
