use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::approval_mode::ApprovalMode;
use super::assembly::LoadJob;
use super::loader::LoadedCandidate;
use super::{Assembly, Loader, Omission, OmissionReason};
use crate::exit::CliError;

/// How long the transports stay shut for plugins that are still being loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartupTimeouts {
    /// While nothing at all can be served.
    first: Duration,
    /// Once something can.
    others: Duration,
}

impl StartupTimeouts {
    /// A client may connect as soon as there is something to call. A component of an SDK compiles
    /// within seconds, so that most hosts begin with all of their tools; one that takes minutes
    /// keeps nobody waiting. Where nothing can be served yet, a probe that waits for the listener
    /// is given an answer before it gives up.
    pub(crate) const SERVING: Self = Self {
        first: Duration::from_secs(20),
        others: Duration::from_secs(3),
    };

    /// Until all is loaded: the compiler has bounds of its own.
    pub(crate) const WHOLE: Self = Self {
        first: Duration::from_secs(3_600),
        others: Duration::from_secs(3_600),
    };
}

/// A plugin that is left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OmittedPlugin<'a> {
    pub(crate) name: &'a str,
    pub(crate) left_out: &'a Omission,
}

/// What a start ends with where everything is left out: one failure of all reasons. `None` where
/// nothing was named.
pub(crate) fn nothing_to_serve<'a>(
    all: impl Iterator<Item = OmittedPlugin<'a>>,
) -> Option<CliError> {
    let all: Vec<OmittedPlugin<'_>> = all.collect();
    let first = all.first()?;
    let messages: Vec<&str> = all
        .iter()
        .map(|one| one.left_out.failure.message.as_str())
        .collect();
    Some(CliError {
        exit: first.left_out.failure.exit,
        message: messages.join("\n"),
    })
}

/// Plugins that are still being loaded.
pub(crate) struct PendingPlugins {
    assembly: Assembly,
    jobs: JoinSet<Result<LoadedCandidate, Omission>>,
    indices: HashMap<Id, usize>,
}

impl Assembly {
    /// Loads everything, and serves what was loaded in time.
    ///
    /// # Errors
    /// A yes cannot be recorded or kept.
    pub(crate) async fn start(
        mut self,
        loader: Loader,
        jobs: Vec<LoadJob>,
        patience: StartupTimeouts,
        answers: &ApprovalMode,
    ) -> anyhow::Result<PendingPlugins> {
        let loader = Arc::new(loader);
        let (mut running, mut indices) = (JoinSet::new(), HashMap::new());
        for (index, kind, before) in jobs {
            let loader = Arc::clone(&loader);
            let handle = running.spawn(async move { loader.load(kind, before).await });
            indices.insert(handle.id(), index);
        }
        let mut until = Instant::now() + patience.first;
        while let Ok(Some(joined)) =
            tokio::time::timeout_at(until, running.join_next_with_id()).await
        {
            if let Some((index, loaded)) = outcome(joined, &indices) {
                if loaded.is_ok() {
                    until = until.min(Instant::now() + patience.others);
                }
                self.accept_loaded(index, loaded);
            }
        }
        answers.with(|answerer| self.settle(answerer))?;
        Ok(PendingPlugins {
            assembly: self,
            jobs: running,
            indices,
        })
    }
}

type LoadResult = Result<(Id, Result<LoadedCandidate, Omission>), tokio::task::JoinError>;

fn outcome(
    joined: LoadResult,
    indices: &HashMap<Id, usize>,
) -> Option<(usize, Result<LoadedCandidate, Omission>)> {
    let (id, loaded) = match joined {
        Ok(joined) => joined,
        Err(error) => {
            let failure =
                CliError::plugin("loading it ended without a result; the log has the reason");
            (
                error.id(),
                Err(Omission::new(OmissionReason::Compile, failure)),
            )
        }
    };
    indices.get(&id).map(|index| (*index, loaded))
}

impl PendingPlugins {
    pub(crate) fn assembly(&self) -> &Assembly {
        &self.assembly
    }

    /// Says in the log what is left out.
    pub(crate) fn log(&self) {
        for one in self.assembly.left_out() {
            log(one);
        }
        if !self.jobs.is_empty() {
            let count = self.jobs.len();
            tracing::warn!(
                count,
                "plugins are still being loaded, and are served once they are"
            );
        }
    }

    /// Serves the rest as it comes, until `shutdown`.
    pub(crate) async fn finish(mut self, answers: ApprovalMode, shutdown: CancellationToken) {
        loop {
            let joined = tokio::select! {
                joined = self.jobs.join_next_with_id() => joined,
                () = shutdown.cancelled() => return,
            };
            let Some(joined) = joined else { return };
            let Some((index, loaded)) = outcome(joined, &self.indices) else {
                continue;
            };
            let before = self.assembly.not_served();
            let known: Vec<String> = self
                .assembly
                .left_out()
                .map(|one| one.name.to_owned())
                .collect();
            self.assembly.accept_loaded(index, loaded);
            let settled = tokio::task::block_in_place(|| {
                answers.with(|answerer| self.assembly.settle(answerer))
            });
            if let Err(error) = settled {
                tracing::error!("a plugin that was loaded cannot be served: {error:#}");
            }
            for plugin in before.difference(&self.assembly.not_served()) {
                tracing::info!(plugin, "a plugin was loaded, and is served from now on");
            }
            for one in self
                .assembly
                .left_out()
                .filter(|one| !known.iter().any(|name| name == one.name))
            {
                log(one);
            }
        }
    }
}

fn log(one: OmittedPlugin<'_>) {
    let (reason, why) = (one.left_out.reason.as_str(), one.left_out.sentence());
    tracing::warn!(plugin = one.name, reason, why, "a plugin is left out");
}
