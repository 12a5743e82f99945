use toolhost_store::{KvError, KvScope, KvSpace};

use crate::bindings::toolhost::plugin::kv::{Entry, Host, Page};
use crate::bindings::toolhost::plugin::types::Failure;
use crate::state::{CallScope, HostState};

impl crate::bindings::toolhost::plugin::types::Host for HostState {}

fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure {
        code: code.to_owned(),
        message: message.into(),
        detail: None,
        meta: Vec::new(),
    }
}

fn refused(error: KvError) -> Failure {
    let code = match error {
        KvError::Key | KvError::Value | KvError::Page => "invalid-arguments",
        KvError::Conflict => "conflict",
        KvError::Full => "limit",
    };
    failure(code, error.to_string())
}

impl HostState {
    /// The space that the guest means, and one operation less to spend.
    fn kv_space(&mut self, scope: &str) -> Result<(&CallScope, KvSpace), Failure> {
        let Some(call) = self.scope.as_mut() else {
            return Err(failure("denied", "a plugin that describes itself has no values"));
        };
        let scope = match scope {
            "shared" => KvScope::Shared,
            "personal" => KvScope::Personal,
            _ => return Err(failure("invalid-arguments", "a scope is shared or personal")),
        };
        let Some(left) = call.kv_calls_left.checked_sub(1) else {
            return Err(failure(
                "limit",
                "the call has used its operations on kv ([limits] kv_calls)",
            ));
        };
        call.kv_calls_left = left;
        let space = KvSpace::of(&call.context.binding, &call.context.plugin, scope);
        Ok((call, space))
    }
}

impl Host for HostState {
    fn get(&mut self, scope: String, key: String) -> wasmtime::Result<Result<Option<Entry>, Failure>> {
        Ok(self.kv_space(&scope).and_then(|(call, space)| {
            let entry = call.kv.get(&space, &key).map_err(refused)?;
            Ok(entry.map(|entry| Entry {
                value: entry.value,
                version: entry.version,
            }))
        }))
    }

    fn put(&mut self, scope: String, key: String, value: Vec<u8>) -> wasmtime::Result<Result<u64, Failure>> {
        Ok(self
            .kv_space(&scope)
            .and_then(|(call, space)| call.kv.put(&space, &key, value).map_err(refused)))
    }

    fn delete(&mut self, scope: String, key: String) -> wasmtime::Result<Result<bool, Failure>> {
        Ok(self
            .kv_space(&scope)
            .and_then(|(call, space)| call.kv.delete(&space, &key).map_err(refused)))
    }

    fn list_keys(
        &mut self,
        scope: String,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Page, Failure>> {
        Ok(self.kv_space(&scope).and_then(|(call, space)| {
            let page = call
                .kv
                .list_keys(&space, &prefix, cursor.as_deref(), limit)
                .map_err(refused)?;
            Ok(Page {
                keys: page.keys,
                cursor: page.cursor,
            })
        }))
    }

    fn compare_and_set(
        &mut self,
        scope: String,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<u64, Failure>> {
        Ok(self.kv_space(&scope).and_then(|(call, space)| {
            call.kv
                .compare_and_set(&space, &key, expected, value)
                .map_err(refused)
        }))
    }
}
