use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A program that says nothing for so long does not start.
const SAYS_SOMETHING: Duration = Duration::from_secs(40);

/// How long a program may take to stop.
const STOPS: Duration = Duration::from_secs(10);

/// A started program. Whatever happens, it does not outlive this.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts it and waits for its first line on stdout.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> anyhow::Result<(Self, String)> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let stdout = child.stdout.take();
        let mut process = Self { name, child };
        let stdout = stdout.with_context(|| format!("{name} has no stdout"))?;
        match first_line(stdout).recv_timeout(SAYS_SOMETHING) {
            Ok(line) => Ok((process, line)),
            Err(_) => {
                let status = process.child.try_wait()?;
                match status {
                    Some(status) => bail!("{name} ended with {status}; what it said is above"),
                    None => bail!("{name} was not ready after {} s", SAYS_SOMETHING.as_secs()),
                }
            }
        }
    }

    /// Asks it to stop (SIGTERM), and waits.
    pub(crate) fn stop(mut self) -> anyhow::Result<ExitStatus> {
        // Through the shell's own kill: the standard library only has SIGKILL.
        let id = self.child.id().to_string();
        Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &id])
            .status()?;
        let end = Instant::now() + STOPS;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("{} did not stop within {} s", self.name, STOPS.as_secs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It can only have ended in between.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The same program for [`Process::start`], where it says on stderr what it has to say. Only its name and arguments are kept.
pub(crate) fn saying_all_on_stdout(program: &Command) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$@\" 2>&1", "sh"])
        .arg(program.get_program())
        .args(program.get_args());
    command
}

/// Reads on after the first line, so that the program is never stopped by a full pipe.
fn first_line(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Only the first is waited for.
            let _ = send.send(line);
        }
    });
    receive
}
