use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long a window is, in seconds.
const WINDOW: u64 = 60;

/// So many a minute, each issuer for itself. The issuers are the configuration's, so there is an
/// end to them.
#[derive(Debug, Default)]
pub(super) struct Rate {
    windows: Mutex<HashMap<String, (u64, u32)>>,
}

impl Rate {
    /// One more, if there is room for it at this moment, in seconds.
    pub(super) fn take(&self, issuer: &str, limit: u32, now: u64) -> bool {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, count) = windows.entry(issuer.to_owned()).or_insert((now, 0));
        if now.saturating_sub(*began) >= WINDOW {
            (*began, *count) = (now, 0);
        }
        let room = *count < limit;
        *count += u32::from(room);
        room
    }
}
