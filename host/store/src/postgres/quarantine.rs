use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::Space;
use crate::keys::SpaceKey;

/// The spaces of which something did not open: nothing of them is served by this process, in whole
/// or in part. The next one finds it when it reads it.
///
/// A space that was destroyed and made again has another key, and what was found of the one before
/// is not said of it.
#[derive(Debug, Default)]
pub(super) struct SpaceQuarantine(RwLock<HashMap<Space, (Arc<SpaceKey>, String)>>);

impl SpaceQuarantine {
    pub(super) fn put(&self, space: &Space, key: &Arc<SpaceKey>, found: &str) {
        tracing::error!(%space, found, "a space is damaged and is not served any more");
        let mut damaged = self.0.write().unwrap_or_else(PoisonError::into_inner);
        damaged.insert(space.clone(), (key.clone(), found.to_owned()));
    }

    /// What was found of a space.
    pub(super) fn damage(&self, space: &Space, key: &Arc<SpaceKey>) -> Option<String> {
        let damaged = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (of, found) = damaged.get(space)?;
        Arc::ptr_eq(of, key).then(|| found.clone())
    }

    pub(super) fn all(&self) -> Vec<(Space, String)> {
        let damaged = self.0.read().unwrap_or_else(PoisonError::into_inner);
        damaged
            .iter()
            .map(|(space, (_, found))| (space.clone(), found.clone()))
            .collect()
    }
}
