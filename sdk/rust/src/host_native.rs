//! The names of `host_wasm`, answered by [`crate::testing::Host`], so that plugins are tested
//! on any machine.

use std::cell::{Cell, RefCell};

use crate::bindings::toolhost::plugin::http as wire;
use crate::testing;

pub(crate) fn send(request: &wire::Request) -> Result<wire::Response, wire::HttpFailure> {
    testing::answer(request)
}

pub(crate) fn start(request: &wire::Request) -> Result<Exchange, wire::HttpFailure> {
    let answer = testing::answer(request)?;
    let head = wire::ResponseHead {
        status: answer.status,
        headers: answer.headers,
        meta: Vec::new(),
    };
    Ok(Exchange {
        head,
        head_asked: Cell::new(false),
        body: RefCell::new(answer.body),
    })
}

/// An answer that is all there, but says at the first question that it is not, as a real one would.
#[derive(Debug)]
pub(crate) struct Exchange {
    head: wire::ResponseHead,
    head_asked: Cell<bool>,
    body: RefCell<Vec<u8>>,
}

impl Exchange {
    #[expect(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn head(&self) -> Result<Option<wire::ResponseHead>, wire::HttpFailure> {
        Ok(self.head_asked.replace(true).then(|| self.head.clone()))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn read(&self, max: u32) -> Result<Option<Vec<u8>>, wire::HttpFailure> {
        let mut body = self.body.borrow_mut();
        if body.is_empty() {
            return Ok(None);
        }
        let length = body.len().min(usize::try_from(max).unwrap_or(usize::MAX));
        let rest = body.split_off(length);
        Ok(Some(std::mem::replace(&mut *body, rest)))
    }
}

pub(crate) fn subscribe(_: &Exchange) -> Pollable {
    Pollable
}

/// Tells when an [`crate::Exchange`] is ready.
#[derive(Debug)]
pub struct Pollable;

impl Pollable {
    /// Whether it is.
    #[must_use]
    pub fn ready(&self) -> bool {
        true
    }

    /// Waits until it is.
    pub fn block(&self) {}
}

pub(crate) fn poll(pollables: &[&Pollable]) -> Vec<u32> {
    (0..).take(pollables.len()).collect()
}

pub(crate) fn emit(level: &str, message: &str) {
    testing::with(|state| state.log.push((level.to_owned(), message.to_owned())));
}

pub(crate) fn report(done: f64, total: Option<f64>, message: Option<&str>) {
    testing::with(|state| {
        state
            .progress
            .push((done, total, message.map(str::to_owned)))
    });
}

pub(crate) mod kv {
    pub(crate) use crate::bindings::toolhost::plugin::kv::{Entry, Page};
    use crate::bindings::toolhost::plugin::types::Failure;
    use crate::{Code, testing};

    pub(crate) fn get(scope: &str, key: &str) -> Result<Option<Entry>, Failure> {
        check(scope, key)?;
        Ok(testing::with(|state| {
            state.kv.get(&(scope.to_owned(), key.to_owned())).cloned()
        }))
    }

    pub(crate) fn put(scope: &str, key: &str, value: &[u8]) -> Result<u64, Failure> {
        check(scope, key)?;
        Ok(testing::with(|state| {
            let known = state
                .kv
                .entry((scope.to_owned(), key.to_owned()))
                .or_insert(Entry {
                    value: vec![],
                    version: 0,
                });
            known.value = value.to_vec();
            known.version += 1;
            known.version
        }))
    }

    pub(crate) fn delete(scope: &str, key: &str) -> Result<bool, Failure> {
        check(scope, key)?;
        Ok(testing::with(|state| {
            state
                .kv
                .remove(&(scope.to_owned(), key.to_owned()))
                .is_some()
        }))
    }

    pub(crate) fn list_keys(
        scope: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page, Failure> {
        check(scope, "-")?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(testing::with(|state| {
            let mut keys: Vec<String> = state
                .kv
                .keys()
                .filter(|(known, key)| known == scope && key.starts_with(prefix))
                .map(|(_, key)| key.clone())
                .filter(|key| cursor.is_none_or(|cursor| key.as_str() > cursor))
                .collect();
            let more = keys.len() > limit;
            keys.truncate(limit);
            let cursor = if more { keys.last().cloned() } else { None };
            Page { keys, cursor }
        }))
    }

    pub(crate) fn compare_and_set(
        scope: &str,
        key: &str,
        expected: Option<u64>,
        value: &[u8],
    ) -> Result<u64, Failure> {
        if get(scope, key)?.map(|entry| entry.version) == expected {
            return put(scope, key, value);
        }
        Err(crate::Failure::new(Code::Conflict, "the key has another version").into())
    }

    fn check(scope: &str, key: &str) -> Result<(), Failure> {
        if !matches!(scope, "shared" | "personal") || key.is_empty() || key.len() > 512 {
            return Err(crate::Failure::invalid_arguments(
                "the scope is unknown or the key is not 1 to 512 bytes",
            )
            .into());
        }
        Ok(())
    }
}

#[cfg(feature = "adapter")]
pub(crate) mod upstream_state {
    use crate::adapter::bindings::toolhost::plugin::upstream_state::Entry;
    use crate::bindings::toolhost::plugin::types::Failure;
    use crate::{Code, testing};

    /// What the contract allows a kept value.
    const MAX_VALUE: usize = 64 << 10;

    /// And a note.
    const MAX_NOTE: usize = 4 << 10;

    #[expect(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn get() -> Result<Option<Entry>, Failure> {
        Ok(testing::with(|state| {
            let (version, value) = &state.upstream;
            value.clone().map(|value| Entry {
                value,
                version: *version,
            })
        }))
    }

    pub(crate) fn set(expected: Option<u64>, value: Option<&[u8]>) -> Result<u64, Failure> {
        if value.is_some_and(|value| value.len() > MAX_VALUE) {
            return Err(crate::Failure::new(Code::Limit, "a kept value has at most 64 KiB").into());
        }
        testing::with(|state| {
            let (version, kept) = &mut state.upstream;
            if kept.as_ref().map(|_| *version) != expected {
                return Err(crate::Failure::new(Code::Conflict, "somebody else was first").into());
            }
            *version += 1;
            *kept = value.map(<[u8]>::to_vec);
            Ok(kept.as_ref().map_or(0, |_| *version))
        })
    }

    pub(crate) fn on_cancel(note: &[u8]) -> Result<(), Failure> {
        if note.len() > MAX_NOTE {
            return Err(crate::Failure::new(Code::Limit, "a note has at most 4 KiB").into());
        }
        testing::with(|state| state.on_cancel = note.to_vec());
        Ok(())
    }
}

pub(crate) mod artifacts {
    pub(crate) use crate::bindings::toolhost::plugin::artifacts::{Artifact, NewArtifact};
    use crate::bindings::toolhost::plugin::types::Failure;
    use crate::testing;

    pub(crate) fn put(wanted: &NewArtifact) -> Result<String, Failure> {
        if !matches!(wanted.scope.as_str(), "shared" | "personal")
            || !wanted.mime_type.contains('/')
        {
            let why = "the scope is unknown or the mime-type is not type/subtype";
            return Err(crate::Failure::invalid_arguments(why).into());
        }
        Ok(testing::with(|state| {
            let id = format!("{:032x}", state.artifacts.len() + 1);
            let artifact = Artifact {
                name: wanted.name.clone(),
                mime_type: wanted.mime_type.clone(),
                bytes: wanted.bytes.clone(),
                meta: Vec::new(),
            };
            // A removed one leaves its place, so that no id comes twice.
            state.artifacts.insert(id.clone(), Some(artifact));
            id
        }))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn get(id: &str) -> Result<Option<Artifact>, Failure> {
        Ok(testing::with(|state| {
            state.artifacts.get(id).cloned().flatten()
        }))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn delete(id: &str) -> Result<bool, Failure> {
        Ok(testing::with(|state| {
            state
                .artifacts
                .get_mut(id)
                .is_some_and(|kept| kept.take().is_some())
        }))
    }
}
