use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use toolhost_gateway::CallPath;
use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, PluginName, PublicError};
use toolhost_sandbox::contract;
use toolhost_tools::{
    CallOptions, CallOutcome, InputRequest, InputRequired, ModelArgs, OutputBlock, ToolEntry,
    ToolOutput, ToolPage,
};

/// Tenant and cursor.
type PageKey = (String, Option<String>);

/// A stand-in for the call path: a few tools, one of them of one tenant alone.
#[derive(Default)]
pub struct Fake {
    kept: Mutex<HashMap<PageKey, Arc<ToolPage>>>,
    /// Calls of `wait` that were cancelled.
    pub cancels: AtomicUsize,
    /// Calls of `wait` and `slow` that began.
    pub starts: AtomicUsize,
}

const TOOLS: &[&str] = &[
    "whoami", "wait", "slow", "fail", "panic", "ask", "steps", "sampler", "placed",
];

/// `placed` has an argument that a header repeats.
fn schema(name: &str) -> Value {
    let mut schema = json!({"type": "object", "additionalProperties": true});
    if name == "placed" {
        schema["properties"] = json!({"where": {"type": "string", "x-mcp-header": "Where"}});
    }
    schema
}

fn entry(name: &str) -> Arc<ToolEntry> {
    let tool = contract::Tool {
        name: name.into(),
        title: None,
        description: format!("the tool {name}"),
        input_schema: schema(name).to_string(),
        output_schema: None,
        effects: contract::Effects {
            read_only: true,
            destructive: false,
            idempotent: true,
            open_world: false,
        },
        requires: if name == "sampler" {
            vec!["sampling".into()]
        } else {
            vec![]
        },
        cache: None,
        meta: vec![],
    };
    Arc::new(ToolEntry::new(&PluginName::parse("fake").unwrap(), tool).unwrap())
}

fn text(text: impl Into<String>) -> Result<CallOutcome, PublicError> {
    Ok(CallOutcome::Complete(ToolOutput {
        content: vec![OutputBlock::Text(text.into())],
        structured: None,
    }))
}

impl Fake {
    /// Waits until a call of `wait` or `slow` has begun.
    pub async fn started(&self) {
        reached(&self.starts).await;
    }

    /// Waits until a call of `wait` was cancelled.
    pub async fn cancelled(&self) {
        reached(&self.cancels).await;
    }

    async fn run(
        &self,
        binding: &Binding,
        name: &str,
        _arguments: ModelArgs,
        options: CallOptions,
    ) -> Result<CallOutcome, PublicError> {
        // The call path itself says what a client must be able to do.
        let missing = match name {
            "sampler" => Some("sampling"),
            "ask" => Some("elicitation"),
            _ => None,
        };
        if let Some(kind) = missing.filter(|kind| !options.client.has(kind)) {
            let text = format!("the tool needs a client that offers {kind}");
            return Err(PublicError::new(ErrorCode::InputUnsupported, text).about(kind));
        }
        match name {
            "whoami" | "placed" => text(format!(
                "{}/{}",
                binding.tenant(),
                binding.principal().subject()
            )),
            "wait" => {
                self.starts.fetch_add(1, Ordering::SeqCst);
                options.cancel.cancelled().await;
                self.cancels.fetch_add(1, Ordering::SeqCst);
                Err(PublicError::new(
                    ErrorCode::Cancelled,
                    "the call was dropped by its caller",
                ))
            }
            "slow" => {
                self.starts.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(400)).await;
                text("slow but done")
            }
            "fail" => Err(PublicError::new(ErrorCode::ToolFailed, "no such invoice").about("id")),
            "panic" => panic!("a tool that panics"),
            "steps" => {
                if let Some(progress) = options.progress {
                    for step in 0..3 {
                        progress.report(f64::from(step), Some(2.0), None);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                text("stepped")
            }
            "ask" => match options.resume {
                None => {
                    let schema =
                        json!({"type": "object", "properties": {"name": {"type": "string"}}});
                    let parameters = json!({"message": "who?", "requestedSchema": schema});
                    let request = InputRequest {
                        id: "q".into(),
                        kind: "elicitation".into(),
                        parameters,
                    };
                    Ok(CallOutcome::InputRequired(InputRequired {
                        requests: vec![request],
                        state: "sealed".into(),
                    }))
                }
                Some(resume) if resume.state != "sealed" => Err(PublicError::new(
                    ErrorCode::InvalidRequest,
                    "the state is not one that this host sealed",
                )),
                Some(resume) => text(format!(
                    "{}:{}",
                    resume.answers[0].action,
                    resume.answers[0].content.clone().unwrap()
                )),
            },
            "only_globex" if binding.tenant().as_str() == "globex" => text("globex only"),
            _ => Err(PublicError::new(ErrorCode::NotFound, "no such tool")),
        }
    }
}

impl Fake {
    fn page(&self, binding: &Binding, cursor: Option<&str>) -> Result<Arc<ToolPage>, PublicError> {
        if !matches!(cursor, None | Some("2")) {
            return Err(PublicError::new(
                ErrorCode::InvalidRequest,
                "the cursor is not one of this list",
            )
            .about("cursor"));
        }
        let tenant = binding.tenant().as_str().to_owned();
        let mut kept = self.kept.lock().unwrap();
        let page = kept
            .entry((tenant.clone(), cursor.map(str::to_owned)))
            .or_insert_with(|| {
                let names = TOOLS
                    .iter()
                    .copied()
                    .chain((tenant == "globex").then_some("only_globex"));
                let (names, next): (Vec<_>, _) = if cursor.is_none() {
                    (names.take(4).collect(), Some("2".into()))
                } else {
                    (names.skip(4).collect(), None)
                };
                Arc::new(ToolPage {
                    tools: names.into_iter().map(entry).collect(),
                    next_cursor: next,
                    revision: 1,
                })
            });
        Ok(Arc::clone(page))
    }
}

impl CallPath for Fake {
    fn list<'a>(
        &'a self,
        binding: &'a Binding,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<ToolPage>, PublicError>> {
        std::future::ready(self.page(binding, cursor)).boxed()
    }

    fn find<'a>(
        &'a self,
        binding: &'a Binding,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<ToolEntry>>, PublicError>> {
        std::future::ready(Ok(self.find_at_once(binding, name))).boxed()
    }

    fn find_at_once(&self, binding: &Binding, name: &str) -> Option<Arc<ToolEntry>> {
        let own = TOOLS.contains(&name)
            || (name == "only_globex" && binding.tenant().as_str() == "globex");
        own.then(|| entry(name))
    }

    fn call<'a>(
        &'a self,
        binding: &'a Binding,
        name: &'a str,
        arguments: ModelArgs,
        options: CallOptions,
    ) -> BoxFuture<'a, Result<CallOutcome, PublicError>> {
        self.run(binding, name, arguments, options).boxed()
    }
}

async fn reached(count: &AtomicUsize) {
    for _ in 0..1000 {
        if count.load(Ordering::SeqCst) > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 10 s");
}
