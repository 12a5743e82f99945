use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};

use super::line::MAX_LINE;
use super::open_chain::OpenChain;
use super::open_chains::OpenChains;
use super::settings::{ChainSettings, Figures, SYNC_EVERY};
use super::{Chain, ChainKeys, key_name};
use crate::{Durability, Event, OnFailure, RecordFuture, Sink, SinkError};

/// What a line adds to its event: number, time, seal.
const FRAME: usize = 256;

/// Events go to the chains of one data directory: the host's, and one a tenant.
///
/// After a failed write a chain takes no record until it was opened again and what is on the disk
/// was looked at; the first record then says how many were refused.
#[derive(Debug)]
pub struct ChainSink {
    chains: Arc<OpenChains>,
    on_failure: OnFailure,
    _ticking: Sender<()>,
}

impl ChainSink {
    /// Opens the chains below `root`, which is `audit` in the data directory, and the host's own at
    /// once.
    ///
    /// # Errors
    /// The host's chain cannot be written, is damaged or of another store, or another process
    /// writes it.
    pub fn open(
        root: &Path,
        keys: Arc<dyn ChainKeys>,
        settings: ChainSettings,
    ) -> Result<Self, SinkError> {
        let keys_of = Arc::clone(&keys);
        let chains = Arc::new(OpenChains::new(root.to_owned(), keys, settings));
        key_name::check(root, &*keys_of)?;
        chains.open(&Chain::Host)?;
        key_name::keep(root, &*keys_of)?;
        let (ticking, stop) = channel();
        let weak = Arc::downgrade(&chains);
        std::thread::Builder::new()
            .name("audit-sync".into())
            .spawn(move || tick(&weak, &stop))
            .map_err(|error| SinkError::from_io(&error))?;
        Ok(Self {
            chains,
            on_failure: settings.on_failure,
            _ticking: ticking,
        })
    }

    /// Brings everything to the disk, and blocks until it is there. A failure is logged, and seen
    /// by the next record.
    pub fn sync_all(&self) {
        self.chains.sync_all();
    }

    /// What this sink has done.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.chains.figures()
    }

    async fn append(
        &self,
        chain: &Chain,
        object: &[u8],
        durability: Durability,
    ) -> Result<(), SinkError> {
        let open = match self.chains.find(chain) {
            Some(open) => open,
            None => {
                let (chains, chain) = (Arc::clone(&self.chains), chain.clone());
                tokio::task::spawn_blocking(move || chains.open(&chain))
                    .await
                    .map_err(|error| SinkError::Unwritable(error.to_string()))??
            }
        };
        let seq = open.append(object, durability)?;
        match durability {
            Durability::Synced => open.wait_synced(seq).await,
            Durability::Held | Durability::Grouped => Ok(()),
        }
    }

    fn append_now(
        &self,
        chain: &Chain,
        object: &[u8],
        durability: Durability,
    ) -> Result<(), SinkError> {
        let open: Arc<OpenChain> = match self.chains.find(chain) {
            Some(open) => open,
            None => self.chains.open(chain)?,
        };
        open.append(object, durability)?;
        match durability {
            Durability::Synced => open.sync(),
            Durability::Held | Durability::Grouped => Ok(()),
        }
    }

    fn count_refused(&self, chain: &Chain, result: Result<(), SinkError>) -> Result<(), SinkError> {
        result.inspect_err(|_| self.chains.refuse(chain, 1))
    }
}

impl Sink for ChainSink {
    fn record<'a>(&'a self, event: &'a Event) -> RecordFuture<'a> {
        Box::pin(async move {
            let (chain, object) = (event.chain()?, object(event)?);
            let result = self.append(&chain, &object, event.durability()).await;
            self.count_refused(&chain, result)
        })
    }

    fn record_now(&self, event: &Event) -> Result<(), SinkError> {
        let (chain, object) = (event.chain()?, object(event)?);
        let result = self.append_now(&chain, &object, event.durability());
        self.count_refused(&chain, result)
    }

    fn on_failure(&self) -> OnFailure {
        self.on_failure
    }
}

impl Drop for ChainSink {
    fn drop(&mut self) {
        self.chains.sync_all();
    }
}

fn object(event: &Event) -> Result<Vec<u8>, SinkError> {
    let object = serde_json::to_vec(event).map_err(|error| SinkError::Event(error.to_string()))?;
    if object.len() > MAX_LINE - FRAME {
        return Err(SinkError::Event("it is longer than a record may be".into()));
    }
    Ok(object)
}

/// Until the sink is gone.
fn tick(chains: &Weak<OpenChains>, stop: &Receiver<()>) {
    while stop.recv_timeout(SYNC_EVERY) == Err(RecvTimeoutError::Timeout) {
        match chains.upgrade() {
            Some(chains) => chains.sync_all(),
            None => return,
        }
    }
}
