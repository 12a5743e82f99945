use toolhost_policy::UnixTime;
use toolhost_store::{Scan, Space, StoreError, Table};

use super::EventLog;
use super::count::{COUNTS, CountNumber, MAX_COUNTED_BYTES};
use super::log::LogPart;
use crate::session::{ChoiceError, ChoiceKey};

impl EventLog {
    /// Removes what is kept of sessions that are over; of how many. What was written before events
    /// were counted is counted.
    pub(crate) async fn sweep(&self, space: &Space) -> Result<u64, ChoiceError> {
        if self.clock.unix() == UnixTime::BROKEN.secs() {
            // Every session would be over.
            return Ok(0);
        }
        let mut swept = self.sweep_clients(space).await?;
        for session in self.sessions(space).await? {
            if !self.is_kept(&session.place).await? {
                self.remove(&session.place).await?;
                swept += 1;
            }
        }
        self.count_again(space).await?;
        Ok(swept)
    }

    async fn sweep_clients(&self, space: &Space) -> Result<u64, ChoiceError> {
        let (mut swept, mut after) = (0, vec![]);
        loop {
            let scan = Scan::group(Table::SessionEvent, &[LogPart::Client.group()]).after(&after);
            let page = self.store.scan(space, &scan).await?;
            let Some(last) = page.found.last() else { break };
            after = last.key.name().to_vec();
            for found in &page.found {
                let Some((0, name)) = found.key.name().split_last() else {
                    continue;
                };
                let place = ChoiceKey::from_name(space.clone(), name.to_vec());
                if !self.is_kept(&place).await? {
                    self.remove(&place).await?;
                    swept += 1;
                }
            }
            if !page.more {
                break;
            }
        }
        Ok(swept)
    }

    async fn count_again(&self, space: &Space) -> Result<(), ChoiceError> {
        let mut counts = vec![];
        for number in 0..COUNTS {
            counts.push(self.count(space, CountNumber(number)).await?);
        }
        let mut parts = [const { (0_u64, None::<ChoiceKey>) }; COUNTS as usize];
        for session in self.sessions(space).await? {
            if let Some((bytes, place)) =
                parts.get_mut(usize::from(CountNumber::from_key(&session.place).0))
            {
                *bytes += session.head.bytes;
                place.get_or_insert(session.place);
            }
        }
        for (count, (bytes, place)) in counts.into_iter().zip(parts) {
            let Some(place) = place else { continue };
            if bytes != count.bytes() {
                match self.store.batch(space, vec![count.put(bytes)?]).await {
                    // An event was written since: the next sweep looks again.
                    Ok(_) | Err(StoreError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if bytes > MAX_COUNTED_BYTES {
                let _turn = self.lock_count(&place).await;
                self.make_room(&place).await?;
            }
        }
        Ok(())
    }
}
