use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;

use super::address::Address;
use super::announce::{Announcer, ReceivedAnnouncement};
use super::clock::ServerClock;
use super::connect;
use super::error::PostgresFault;
use crate::{ChangeSubscription, Notice};

/// How often the server is asked what time it is, and so whether the connection is alive. What was
/// announced before the question was heard before the answer.
const BEAT: Duration = Duration::from_millis(200);

/// How long the answer may take before nothing that is kept in memory is believed.
const ANSWER: Duration = Duration::from_millis(500);

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// Notices that a listener may be behind before it is told that it has missed some.
const BEHIND: usize = 1_024;

/// Listens to what other hosts announce, for as long as it lives.
#[derive(Debug)]
pub(super) struct Feed {
    notices: broadcast::Sender<Notice>,
    confirmed: watch::Sender<Option<Instant>>,
    listening: AbortHandle,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Feed {
    /// Begins to listen, and waits a while until it does.
    pub(super) async fn open(
        address: Address,
        announcer: Announcer,
        patience: Duration,
        clock: Arc<ServerClock>,
    ) -> Self {
        let notices = broadcast::Sender::new(BEHIND);
        let confirmed = watch::Sender::new(None);
        let listener = Listener {
            address,
            announcer,
            patience,
            clock,
            notices: notices.clone(),
            confirmed: confirmed.clone(),
        };
        let listening = tokio::spawn(listener.listen()).abort_handle();
        let mut first = confirmed.subscribe();
        let listens = first.wait_for(Option::is_some);
        // Whoever subscribes before it does is told that nothing is heard.
        let _ = tokio::time::timeout(patience, listens).await;
        Self {
            notices,
            confirmed,
            listening,
        }
    }

    pub(super) fn changes(&self) -> ChangeSubscription {
        ChangeSubscription::new(self.notices.subscribe(), self.confirmed.subscribe())
    }
}

struct Listener {
    address: Address,
    announcer: Announcer,
    patience: Duration,
    clock: Arc<ServerClock>,
    notices: broadcast::Sender<Notice>,
    confirmed: watch::Sender<Option<Instant>>,
}

impl Listener {
    async fn listen(self) {
        loop {
            if let Err(fault) = self.listen_until_lost().await {
                tracing::warn!(error = fault.text, "what other hosts change is not heard");
            }
            if self.confirmed.send_replace(None).is_some() {
                self.notify(Notice::Lost);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn notify(&self, notice: Notice) {
        // Nobody may listen.
        let _ = self.notices.send(notice);
    }

    async fn listen_until_lost(&self) -> Result<(), PostgresFault> {
        let (client, mut announced) = connect::connect_single(&self.address, self.patience).await?;
        let asked = Instant::now();
        // The prefix alone names it, so there is nothing in it to quote.
        let listen = format!("LISTEN {}", self.announcer.channel);
        with_timeout(
            async { Ok(client.batch_execute(&listen).await?) },
            self.patience,
        )
        .await?;
        self.confirmed.send_replace(Some(asked));
        self.notify(Notice::Resumed);
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                notification = announced.recv() => match notification {
                    Some(notification) => self.handle_payload(notification.payload()),
                    None => return Err(PostgresFault::connection_lost("the connection ended")),
                },
                _ = beat.tick() => {
                    let asked = Instant::now();
                    with_timeout(self.clock.renew(&client), ANSWER).await?;
                    // Those that came before the answer are told before it counts.
                    while let Ok(notification) = announced.try_recv() {
                        self.handle_payload(notification.payload());
                    }
                    self.confirmed.send_replace(Some(asked));
                }
            }
        }
    }

    fn handle_payload(&self, payload: &str) {
        match self.announcer.read(payload) {
            ReceivedAnnouncement::Own => {}
            ReceivedAnnouncement::Changed(changed) => self.notify(Notice::Changed(changed)),
            ReceivedAnnouncement::Strange => {
                self.notify(Notice::Lost);
                self.notify(Notice::Resumed);
            }
        }
    }
}

async fn with_timeout(
    asked: impl Future<Output = Result<(), PostgresFault>>,
    patience: Duration,
) -> Result<(), PostgresFault> {
    tokio::time::timeout(patience, asked)
        .await
        .map_err(|_| super::space_location::timeout_fault())?
}
