use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use toolhost_identity::Binding;
use toolhost_policy::{Grant, PluginName};

/// What every request of one tool call shares: whose call it is, what the plugin was granted, until when, and how many
/// requests it has made.
#[derive(Debug)]
pub struct EgressCall {
    binding: Binding,
    grant: Arc<Grant>,
    call: u64,
    deadline: Instant,
    requests: AtomicU64,
}

impl EgressCall {
    pub(crate) fn new(binding: Binding, grant: Arc<Grant>, call: u64, deadline: Instant) -> Self {
        Self {
            binding,
            grant,
            call,
            deadline,
            requests: AtomicU64::new(0),
        }
    }

    /// The snapshot that the call runs under.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// What the plugin was granted.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The call's number, unique in this process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.call
    }

    /// The plugin's name.
    #[must_use]
    pub fn plugin(&self) -> &PluginName {
        &self.grant.plugin
    }

    /// Nothing that this call does outlasts it.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes one request out of the budget. Two at once never take the same one.
    pub(crate) fn take_request(&self) -> Result<(), u64> {
        let most = self.grant.limits.http_calls;
        let take = |made: u64| (made < most).then_some(made + 1);
        match self
            .requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(most),
        }
    }
}
