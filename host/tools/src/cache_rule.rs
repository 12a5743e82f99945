use std::time::Duration;

use toolhost_sandbox::contract;

/// The longest that a result is kept. What may be older than an hour belongs into `kv`, where it
/// can be removed.
const MAX_TTL: Duration = Duration::from_secs(3_600);

/// What a tool says of its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheRule {
    pub(crate) ttl: Duration,
    pub(crate) is_personal: bool,
}

impl CacheRule {
    /// Reads a tool's word.
    ///
    /// # Errors
    /// The tool changes something, or its scope is none.
    pub(crate) fn from_tool(tool: &contract::Tool) -> Result<Option<Self>, String> {
        let Some(cache) = &tool.cache else {
            return Ok(None);
        };
        if !tool.effects.read_only {
            return Err(
                "it says that its results may be kept, and not that it is read-only".into(),
            );
        }
        let is_personal = match cache.scope.as_str() {
            "shared" => false,
            "personal" => true,
            _ => return Err("the scope of its cache is neither shared nor personal".into()),
        };
        let ttl = Duration::from_millis(cache.ttl_ms).min(MAX_TTL);
        Ok((!ttl.is_zero()).then_some(Self { ttl, is_personal }))
    }
}
