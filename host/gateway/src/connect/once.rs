use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use toolhost_policy::{ErrorCode, PublicError};

/// Open at once, of one caller for one connection: some tabs.
const MAX_OF_ONE: usize = 8;

/// Open at once, of one tenant: what others have left is not one tenant's to take.
const MAX_OF_TENANT: usize = 1_000;

/// Open at once, of all. One takes some hundred bytes.
const MAX: usize = 10_000;

/// Who has a value open. Both are asked about each value that is open, so both are quick.
pub(super) trait Whose {
    /// One caller's, for one connection.
    fn is_same(&self, other: &Self) -> bool;
    /// One tenant's.
    fn is_of_one_tenant(&self, other: &Self) -> bool;
}

/// Values that are taken once, within a time, by whoever has the text. Only a digest of the text is kept.
pub(super) struct Once<T> {
    life: Duration,
    open: Mutex<HashMap<[u8; 32], (T, Instant)>>,
}

/// 256 bits, as 43 characters that a URL and a cookie take as they are.
pub(super) fn random() -> Result<String, PublicError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| PublicError::new(ErrorCode::Internal, "the machine gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl<T: Clone + Whose> Once<T> {
    pub(super) fn new(life: Duration) -> Self {
        Self {
            life,
            open: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], (T, Instant)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in_time(&self, since: Instant) -> bool {
        since.elapsed() < self.life
    }

    /// Keeps a value under a text, in the place of what was there.
    pub(super) fn put(&self, text: &str, value: T) -> Result<(), PublicError> {
        let mut open = self.lock();
        if open.len() >= MAX {
            open.retain(|_, (_, since)| self.is_in_time(*since));
        }
        let (mut of_one, mut of_tenant) = (0, 0);
        for (known, _) in open.values().filter(|(_, since)| self.is_in_time(*since)) {
            of_one += usize::from(known.is_same(&value));
            of_tenant += usize::from(known.is_of_one_tenant(&value));
        }
        if open.len() >= MAX || of_one >= MAX_OF_ONE || of_tenant >= MAX_OF_TENANT {
            let text = "too many logins are open; finish one, or wait until they are over";
            return Err(PublicError::new(ErrorCode::Busy, text));
        }
        open.insert(digest(text), (value, Instant::now()));
        Ok(())
    }

    /// The value, which stays.
    pub(super) fn look(&self, text: &str) -> Option<T> {
        let open = self.lock();
        let (value, since) = open.get(&digest(text))?;
        self.is_in_time(*since).then(|| value.clone())
    }

    /// The value, which is gone then.
    pub(super) fn take(&self, text: &str) -> Option<T> {
        let (value, since) = self.lock().remove(&digest(text))?;
        self.is_in_time(since).then_some(value)
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MAX_OF_ONE, MAX_OF_TENANT, Once, Whose, random};

    /// A caller of a tenant.
    impl Whose for (u32, &str) {
        fn is_same(&self, other: &Self) -> bool {
            self == other
        }

        fn is_of_one_tenant(&self, other: &Self) -> bool {
            self.1 == other.1
        }
    }

    #[test]
    fn a_value_is_taken_once_in_its_time_and_by_its_text_alone() {
        let (once, ann) = (Once::new(Duration::from_secs(60)), (1, "acme"));
        let text = random().unwrap();
        once.put(&text, ann).unwrap();
        assert_eq!((once.look(&text), once.look("another")), (Some(ann), None));
        assert_eq!((once.take(&text), once.take(&text)), (Some(ann), None));
        let over = Once::new(Duration::ZERO);
        over.put(&text, ann).unwrap();
        assert_eq!((over.look(&text), over.take(&text)), (None, None));
    }

    #[test]
    fn neither_one_caller_nor_one_tenant_fills_it() {
        let once = Once::new(Duration::from_secs(60));
        for number in 0..MAX_OF_ONE {
            once.put(&number.to_string(), (0, "acme")).unwrap();
        }
        assert!(once.put("more", (0, "acme")).is_err());
        for caller in MAX_OF_ONE..MAX_OF_TENANT {
            let caller = u32::try_from(caller).unwrap();
            once.put(&format!("of {caller}"), (caller, "acme")).unwrap();
        }
        assert!(once.put("one more", (u32::MAX, "acme")).is_err());
        assert!(once.put("of another tenant", (0, "globex")).is_ok());
    }
}
