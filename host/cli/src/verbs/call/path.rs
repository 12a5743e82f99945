use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toolhost_admin::{AdminClient, CallEnd, CallLines, CallRequest, CallResume, ClientError};
use toolhost_tenancy::AdmittedCaller;
use toolhost_tools::{CallOptions, ClientCapabilities};

use super::show_line;
use crate::args::CallArgs;
use crate::plugins::{self, ApprovalMode, Candidate};
use crate::secret_ref;
use crate::setup::Setup;
use crate::wiring::{self, Host, HostBuilder, LoadPurpose};

/// Reports that wait to be shown.
const WAITING: usize = 64;

/// The host that runs on the data directory: it has the store, and the call is one of its own.
pub(super) struct RunningHost(AdminClient);

impl RunningHost {
    /// `None` where none runs, or nothing lasts.
    ///
    /// # Errors
    /// The directory belongs to a process that does not answer.
    pub(super) async fn find(setup: &Setup) -> anyhow::Result<Option<Self>> {
        let Some(data) = &setup.config.data else {
            return Ok(None);
        };
        match AdminClient::connect(&data.dir).await {
            Ok(client) => Ok(Some(Self(client))),
            Err(ClientError::NobodyThere) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn call(
        mut self,
        args: &CallArgs,
        setup: &Setup,
        arguments: &Map<String, Value>,
        resume: Option<CallResume>,
    ) -> anyhow::Result<CallEnd> {
        let token = args.token.as_deref();
        let token = token
            .map(|text| secret_ref::token(&secret_ref::parse("--token", text)?))
            .transpose()?;
        let operation = CallRequest {
            tool: args.tool.clone(),
            arguments: arguments.clone(),
            has_token: token.is_some(),
            tenant: setup.dev_tenant.as_ref().map(ToString::to_string),
            resume,
        };
        let mut progress = |line: &[u8]| {
            show_line(line);
            Ok(())
        };
        match self.0.ask(operation, token.as_ref(), &mut progress).await {
            Ok(end) => Ok(end),
            Err(ClientError::Refused(refused)) => Err(refused.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A host in this process, and the one caller that it serves.
pub(super) struct InProcessHost {
    host: Host,
    admitted: AdmittedCaller,
}

impl InProcessHost {
    pub(super) async fn new(
        args: &CallArgs,
        setup: &Arc<Setup>,
        candidates: Vec<Candidate>,
    ) -> anyhow::Result<Self> {
        let builder = HostBuilder::open(setup, &[]).await?;
        let admitted =
            wiring::token_or_development(&builder.tenancy, args.token.as_deref()).await?;
        let binding = admitted.caller.clone().binding();
        let binding = binding.map_err(|error| toolhost_tenancy::AuthError::from(error).public())?;
        let approval = ApprovalMode::from_flags(setup.yes, None);
        let host = builder
            .load(setup, candidates, LoadPurpose::OneCall, &approval)
            .await?;
        if host.tools.find(&binding, &args.tool).await?.is_none() {
            // It may be the tool of a plugin that is left out: then that is the reason.
            let left_out = host.pending.assembly().left_out();
            if let Some(failure) = plugins::nothing_to_serve(left_out) {
                return Err(failure.into());
            }
        }
        Ok(Self { host, admitted })
    }

    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
        resume: Option<CallResume>,
    ) -> anyhow::Result<CallEnd> {
        let (sender, mut lines) = mpsc::channel(WAITING);
        let heard = Arc::new(CallLines(sender));
        let cancel = CancellationToken::new();
        let options = CallOptions {
            log: Some(Arc::clone(&heard) as _),
            progress: Some(heard),
            cancel: cancel.clone(),
            resume: resume.map(Into::into),
            // Whoever calls by hand is asked; there is no model to ask.
            client: ClientCapabilities {
                elicitation: true,
                sampling: false,
            },
        };
        let dispatcher = self.host.dispatcher();
        let call = dispatcher.call_at_home(self.admitted.clone(), tool, arguments.clone(), options);
        let stop = wiring::stop_signal();
        tokio::pin!(call, stop);
        let outcome = loop {
            tokio::select! {
                outcome = &mut call => break outcome,
                Some(line) = lines.recv() => show_line(&line),
                stopped = &mut stop, if !cancel.is_cancelled() => {
                    stopped.context("signals cannot be heard")?;
                    cancel.cancel();
                }
            }
        };
        while let Ok(line) = lines.try_recv() {
            show_line(&line);
        }
        if cancel.is_cancelled() {
            self.host.sandbox.wait_until_drained().await;
        }
        Ok(CallEnd::from_outcome(outcome?))
    }
}
