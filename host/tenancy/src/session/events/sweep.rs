use toolhost_policy::UnixTime;
use toolhost_store::{Scan, Space, Table};

use super::EventLog;
use super::log::{Head, MAX_EVENTS_PER_TENANT_BYTES, Part};
use crate::session::{ChoiceError, Place};

impl EventLog {
    /// Removes what is kept of sessions that are over, and then, of a tenant with too many bytes, of those that were silent
    /// longest; of how many sessions.
    pub(crate) async fn sweep(&self, space: &Space) -> Result<u64, ChoiceError> {
        let (mut swept, mut kept, mut bytes) = (0, vec![], 0_u64);
        if self.clock.unix() == UnixTime::BROKEN.secs() {
            // Every session would be over.
            return Ok(swept);
        }
        for part in [Part::Head, Part::Client] {
            let mut after = vec![];
            loop {
                let scan = Scan::group(Table::SessionEvent, &[part.group()]).after(&after);
                let page = self.store.scan(space, &scan).await?;
                let Some(last) = page.found.last() else { break };
                after = last.key.name().to_vec();
                for found in &page.found {
                    let Some((0, name)) = found.key.name().split_last() else {
                        continue;
                    };
                    let place = Place::named(space.clone(), name.to_vec());
                    if !self.is_kept(&place).await? {
                        self.remove(&place).await?;
                        swept += 1;
                    } else if matches!(part, Part::Head) {
                        let head = Head::read(Some(&found.record))?;
                        bytes = bytes.saturating_add(head.bytes);
                        kept.push((head.at, head.bytes, place));
                    }
                }
                if !page.more {
                    break;
                }
            }
        }
        kept.sort_unstable_by_key(|(at, ..)| *at);
        for (_, freed, place) in kept {
            if bytes <= MAX_EVENTS_PER_TENANT_BYTES {
                break;
            }
            self.forget_events(&place).await?;
            bytes = bytes.saturating_sub(freed);
            swept += 1;
        }
        Ok(swept)
    }
}
