use std::sync::Arc;

use toolhost_identity::Principal;

use super::log::{LogPart, MAX_CLIENT_BYTES, key};
use super::{EventId, EventLog, EventReader};
use crate::session::choice_resolver::choice_key;
use crate::session::{ChoiceError, ChoiceKey, ChoiceStore, SessionId, Sessions};

/// The events of one session, for whoever its owner was when this was asked for.
#[derive(Debug, Clone)]
pub struct SessionLog {
    pub(super) log: Arc<EventLog>,
    pub(super) choices: Arc<ChoiceStore>,
    pub(super) place: ChoiceKey,
}

impl Sessions {
    /// The events of this caller's session of this id, whether there is such a session or not:
    /// another caller's are elsewhere.
    ///
    /// # Errors
    /// The caller's tenant is not served, or the directory cannot be read.
    pub async fn log(
        &self,
        id: &SessionId,
        principal: &Arc<Principal>,
    ) -> Result<SessionLog, ChoiceError> {
        let caller = self.joined.caller(principal).await?;
        Ok(SessionLog {
            log: Arc::clone(&self.events),
            choices: Arc::clone(&self.joined.choices),
            place: choice_key(&caller, id.as_str()),
        })
    }
}

impl SessionLog {
    /// Keeps an event; it lasts when this returns. `label` is for the reader to tell streams apart.
    ///
    /// # Errors
    /// [`ChoiceError::Unknown`] where there is no such session any more, [`ChoiceError::TooLong`]
    /// for more than [`super::MAX_EVENT_BYTES`] of data or a label of more than 255 bytes, and the
    /// store's.
    pub async fn append(&self, label: &str, data: &[u8]) -> Result<EventId, ChoiceError> {
        self.log.append(&self.place, label, data).await
    }

    /// The id that a request brought, if it is one of this session.
    #[must_use]
    pub fn parse(&self, id: &str) -> Option<EventId> {
        EventId::parse(&self.place, id)
    }

    /// Reads what comes after an event.
    #[must_use]
    pub fn read_after(&self, id: &EventId) -> EventReader {
        EventReader::new(self.clone(), id.seq)
    }

    /// Reads what is kept, from its beginning.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn from_start(&self) -> Result<EventReader, ChoiceError> {
        let head = self.log.head(&self.place).await?;
        Ok(EventReader::new(self.clone(), head.first.saturating_sub(1)))
    }

    /// Reads what happens from now on.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn from_now(&self) -> Result<EventReader, ChoiceError> {
        let head = self.log.head(&self.place).await?;
        Ok(EventReader::new(self.clone(), head.next.saturating_sub(1)))
    }

    /// Whether other hosts may write events of this session.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.log.shared
    }

    /// Keeps what the session's client said of itself, so that another host can go on with it.
    ///
    /// # Errors
    /// [`ChoiceError::TooLong`] for more than [`MAX_CLIENT_BYTES`], and the store's.
    pub async fn keep_client(&self, client: &[u8]) -> Result<(), ChoiceError> {
        if client.len() > MAX_CLIENT_BYTES {
            return Err(ChoiceError::TooLong);
        }
        let key = key(&self.place, LogPart::Client, &[])?;
        self.log
            .store
            .put(&self.place.space, &key, client.to_vec())
            .await?;
        Ok(())
    }

    /// What the client said of itself.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn client(&self) -> Result<Option<Vec<u8>>, ChoiceError> {
        let key = key(&self.place, LogPart::Client, &[])?;
        let record = self.log.store.get(&self.place.space, &key).await?;
        Ok(record.map(|record| record.value))
    }
}
