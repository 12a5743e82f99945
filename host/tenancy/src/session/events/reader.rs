use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;
use toolhost_store::{Scan, Table};

use super::log::{LogPart, prefix, read};
use super::{EventId, SessionLog};
use crate::session::ChoiceError;
use crate::session::choices::is_idle;

/// Events of one look. Their bytes are bounded by those of a session.
const LOOK: usize = 32;
/// How soon an event of another host is seen. One look is one read of the store.
const SHARED: Duration = Duration::from_millis(500);
/// How soon it is seen that a session is idle, which nobody says.
const ALONE: Duration = Duration::from_secs(15);

/// An event as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEvent {
    /// Its place.
    pub id: EventId,
    /// As [`SessionLog::append`] got it.
    pub label: String,
    /// As [`SessionLog::append`] got it.
    pub data: Vec<u8>,
}

/// What a reader meets next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionLogItem {
    /// An event.
    Event(SessionEvent),
    /// Events that were to be read are not kept any more. What is kept comes after this id.
    Lost(EventId),
    /// The session is over: ended, or idle.
    Ended,
}

/// Reads the events of a session, one after the other, and waits for more. It is no use of the
/// session.
#[derive(Debug)]
pub struct EventReader {
    log: SessionLog,
    after: u64,
    bell: Option<watch::Receiver<u64>>,
    ahead: VecDeque<SessionEvent>,
}

impl EventReader {
    pub(super) fn new(log: SessionLog, after: u64) -> Self {
        Self {
            bell: log.log.subscribe(&log.place),
            log,
            after,
            ahead: VecDeque::new(),
        }
    }

    /// Where it is: what it was given last, or what it began after.
    #[must_use]
    pub fn at(&self) -> EventId {
        let ahead = self
            .ahead
            .front()
            .map(|event| event.id.seq.saturating_sub(1));
        EventId::new(&self.log.place, ahead.unwrap_or(self.after))
    }

    /// What comes next, however long that takes. A future that is dropped loses nothing.
    ///
    /// # Errors
    /// The store does not answer, or what it keeps cannot be read.
    pub async fn next(&mut self) -> Result<SessionLogItem, ChoiceError> {
        loop {
            if let Some(happened) = self.try_next().await? {
                return Ok(happened);
            }
            let wait = if self.log.log.shared { SHARED } else { ALONE };
            let rung = async {
                match &mut self.bell {
                    Some(bell) => drop(bell.changed().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = rung => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What comes next, if it is there already.
    ///
    /// # Errors
    /// As [`EventReader::next`].
    pub async fn try_next(&mut self) -> Result<Option<SessionLogItem>, ChoiceError> {
        if let Some(event) = self.ahead.pop_front() {
            return Ok(Some(SessionLogItem::Event(event)));
        }
        // Before the look, so that what is written after it rings again.
        if let Some(bell) = &mut self.bell {
            bell.borrow_and_update();
        }
        let (log, place) = (&self.log.log, &self.log.place);
        let there = self.log.choices.read(place).await?;
        if there.is_none_or(|kept| is_idle(kept.used, log.clock.unix())) {
            return Ok(Some(SessionLogItem::Ended));
        }
        let head = log.head(place).await?;
        if self.after.saturating_add(1) < head.first || self.after >= head.next {
            self.after = head.first.saturating_sub(1);
            return Ok(Some(SessionLogItem::Lost(EventId::new(place, self.after))));
        }
        if self.after.saturating_add(1) == head.next {
            return Ok(None);
        }
        let begin = prefix(place);
        let scan = Scan::group(Table::SessionEvent, &[LogPart::Event.group()])
            .prefix(&begin)
            .after(&[begin.as_slice(), &self.after.to_be_bytes()].concat())
            .limit(LOOK);
        for found in log.store.scan(&place.space, &scan).await?.found {
            let seq = found
                .key
                .name()
                .get(begin.len()..)
                .and_then(|seq| seq.try_into().ok());
            let (Some(seq), Some((label, data))) =
                (seq.map(u64::from_be_bytes), read(found.record.value))
            else {
                continue;
            };
            if seq != self.after.saturating_add(1) {
                // What was to come next has gone since the look at the head.
                break;
            }
            self.after = seq;
            let id = EventId::new(place, seq);
            self.ahead.push_back(SessionEvent { id, label, data });
        }
        Ok(self.ahead.pop_front().map(SessionLogItem::Event))
    }
}
