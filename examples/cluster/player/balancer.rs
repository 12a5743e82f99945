use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use toolhost_examples::player::{free_port, with_addresses};
use toolhost_harness::Process;
use toolhost_harness::process::saying_all_on_stdout;

/// Where it listens in `nginx.conf`; here it takes a free port.
const LISTEN: &str = "127.0.0.1:8080";

/// The addresses of the hosts in `nginx.conf`; here they take free ports.
const HOSTS: [&str; 2] = ["127.0.0.1:8081", "127.0.0.1:8082"];

/// nginx, with the example's own `nginx.conf`.
pub(super) struct Balancer {
    pub(super) url: String,
    process: Process,
}

impl Balancer {
    /// Starts it in a directory of its own, before hosts at these addresses.
    pub(super) fn start(place: &Path, hosts: [&str; 2]) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let [(one, two), (first, second)] = [HOSTS, hosts].map(|[a, b]| (a, b));
        let text = with_addresses(
            "examples/cluster/nginx.conf",
            &[(one, first), (two, second), (LISTEN, &address)],
        )?;
        std::fs::create_dir(place)?;
        std::fs::write(place.join("nginx.conf"), text)?;
        let mut command = saying_all_on_stdout(&Command::new("nginx"));
        command
            .arg("-p")
            .arg(place)
            .args(["-e", "stderr", "-c", "nginx.conf"])
            // One process in the foreground: it ends with the play, and its turns are the same each
            // time.
            .args(["-g", "daemon off; master_process off;"]);
        let (process, line) = Process::start("nginx", &mut command);
        // The first notice comes when it listens; what is wrong would come before it.
        ensure!(line.contains("[notice]"), "nginx does not start: {line}");
        Ok(Self {
            url: format!("http://{address}"),
            process,
        })
    }

    pub(super) fn stop(self) -> anyhow::Result<()> {
        let status = self.process.stop();
        ensure!(status.success(), "nginx stopped with {status}");
        Ok(())
    }
}
