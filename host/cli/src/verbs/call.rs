use std::io::Read;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use toolhost_tools::{CallOptions, CallOutcome, Content, ModelArgs, ResourceBody, ToolOutput};

use crate::args::{CallArgs, OutputFormat};
use crate::exit::{Exit, Failure};
use crate::grants::Answerer;
use crate::missing::{self, Door};
use crate::output::{self, Show, bytes, printable};
use crate::setup::Setup;
use crate::wiring::{self, Choosing, Ground, Sources, read_capped};

/// One call at a time needs one slot; describing takes it before the call does.
const SLOTS: u32 = 1;

/// Calls one tool on the same path as every door.
pub(super) fn run(args: &CallArgs, format: OutputFormat) -> anyhow::Result<()> {
    let setup = Setup::gather(&args.wiring)?;
    if args.token.is_some() && setup.dev_tenant.is_some() {
        return Err(Failure::usage(
            "--token and --dev-tenant (or DEV_TENANT_NAME) say two different callers; keep one",
        )
        .into());
    }
    let arguments = arguments(&args.args, setup.config.limits.arguments_bytes)?;
    let files = wiring::plugin_files(&setup)?;
    let door = Door::One {
        token: args.token.is_some(),
    };
    missing::check(
        &setup,
        &files.iter().map(|file| &file.manifest).collect::<Vec<_>>(),
        door,
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let network = wiring::network()?;
        let ground = Ground::open(&setup).await?;
        let directory = wiring::directory(&setup, ground.kept.as_ref(), &network)?;
        let kept = ground.kept.as_ref();
        let tenancy = wiring::tenancy(&setup, &[], &network, Arc::clone(&directory), kept)?;
        let admitted = wiring::token_or_development(&tenancy, args.token.as_deref()).await?;
        let binding = admitted.caller.clone().binding();
        let binding = binding.map_err(|error| toolhost_tenancy::AuthError::from(error).public())?;
        let choosing = Choosing::of(&setup, Arc::clone(&ground.store), directory, &network)?;
        choosing.credentials.presents(&binding, &admitted.presented);
        let sources = Sources::of(&setup, &network, &ground, choosing.credentials);
        let (credentials, _) = wiring::provider(&setup, sources)?;
        let egress = wiring::serving_egress(Arc::clone(&network), credentials, &ground)?;
        let cache = Some(setup.cache_dir.clone());
        let kv = Arc::clone(&ground.kv);
        let sandbox = wiring::sandbox(setup.config.limits.clone(), SLOTS, cache, Arc::clone(&egress), kv)?;
        let answerer = if setup.yes {
            Answerer::Yes
        } else {
            Answerer::Nobody
        };
        let tools =
            wiring::serve_plugins(&setup, files, &sandbox, egress, &ground, &network, answerer).await?;
        let cancel = CancellationToken::new();
        let options = CallOptions {
            cancel: cancel.clone(),
            ..CallOptions::default()
        };
        let call = tools.call(&binding, &args.tool, ModelArgs::new(arguments), options);
        tokio::pin!(call);
        tokio::select! {
            outcome = &mut call => Ok::<_, anyhow::Error>(outcome?),
            _ = tokio::signal::ctrl_c() => {
                cancel.cancel();
                let outcome = call.await;
                sandbox.drained().await;
                Ok(outcome?)
            }
        }
    })?;
    match outcome {
        CallOutcome::Complete(result) => output::show(format, &Answer::of(result)),
        CallOutcome::InputRequired(_) => {
            let message = "the tool asks for input, which host call cannot give; use an MCP client";
            Err(Failure {
                exit: Exit::Failed,
                message: message.into(),
            }
            .into())
        }
    }
}

fn arguments(text: &str, most: u64) -> Result<Map<String, Value>, Failure> {
    let json = match (text, text.strip_prefix('@')) {
        ("-", _) => {
            let mut json = Vec::new();
            let read = std::io::stdin()
                .lock()
                .take(most.saturating_add(1))
                .read_to_end(&mut json);
            read.map_err(|error| Failure::usage(format!("--args -: {error}")))?;
            json
        }
        (_, Some(path)) => read_capped(std::path::Path::new(path), most)?,
        _ => text.as_bytes().to_vec(),
    };
    serde_json::from_slice(&json)
        .map_err(|error| Failure::usage(format!("--args: it is not a JSON object: {error}")))
}

/// A tool's answer, in MCP's shapes.
#[derive(Serialize)]
struct Answer {
    content: Vec<Value>,
    #[serde(rename = "structuredContent", skip_serializing_if = "Option::is_none")]
    structured: Option<Value>,
    #[serde(skip)]
    lines: Vec<String>,
}

impl Answer {
    fn of(output: ToolOutput) -> Self {
        let lines = output.content.iter().map(line).collect();
        let content = output.content.iter().map(block).collect();
        Self {
            content,
            structured: output.structured,
            lines,
        }
    }
}

impl Show for Answer {
    fn text(&self) -> String {
        match (&self.structured, self.lines.is_empty()) {
            (Some(structured), true) => format!("{structured:#}"),
            _ => self.lines.join("\n"),
        }
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        if let Some(table) = self.structured.as_ref().and_then(list) {
            return table;
        }
        let rows = match &self.structured {
            Some(Value::Object(members)) => members
                .iter()
                .map(|(name, value)| vec![printable(name), cell(value)])
                .collect(),
            _ => self
                .lines
                .iter()
                .map(|line| vec![String::new(), line.clone()])
                .collect(),
        };
        (vec!["member".into(), "value".into()], rows)
    }
}

/// A list of objects, alone or as the one list of an answer, is a table by itself. What stands beside it (a cursor, say)
/// is for the other forms.
fn list(structured: &Value) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let items = match structured {
        Value::Array(items) => items,
        Value::Object(members) => {
            let mut lists = members.values().filter_map(Value::as_array);
            let only = lists.next()?;
            if lists.next().is_some() {
                return None;
            }
            only
        }
        _ => return None,
    };
    let first = items.first()?.as_object()?;
    let keys: Vec<&String> = first.keys().collect();
    let row = |item: &Value| {
        Some(
            keys.iter()
                .map(|key| item.get(key).map_or(String::new(), cell))
                .collect(),
        )
    };
    let rows = items
        .iter()
        .map(|item| item.as_object().and_then(|_| row(item)))
        .collect::<Option<_>>()?;
    Some((keys.into_iter().map(|key| printable(key)).collect(), rows))
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.lines().map(printable).collect::<Vec<_>>().join("\n"),
        Value::Array(items) => items
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        other => other.to_string(),
    }
}

/// Line breaks stay, everything that could steer a terminal goes.
fn line(content: &Content) -> String {
    match content {
        Content::Text(text) => text.lines().map(printable).collect::<Vec<_>>().join("\n"),
        Content::Image { data, mime_type } | Content::Audio { data, mime_type } => {
            format!("[{}, {}]", printable(mime_type), bytes(data.len() as u64))
        }
        Content::ResourceLink { uri, name, .. } => format!("{}: {}", printable(name), printable(uri)),
        Content::Resource { uri, .. } => format!("[resource {}]", printable(uri)),
        Content::Annotated(content, about) => match &about.description {
            Some(description) => format!("{} ({})", line(content), printable(description)),
            None => line(content),
        },
    }
}

fn block(content: &Content) -> Value {
    use base64::Engine as _;
    let encode = |data: &[u8]| base64::engine::general_purpose::STANDARD.encode(data);
    match content {
        Content::Text(text) => json!({ "type": "text", "text": text }),
        Content::Image { data, mime_type } => {
            json!({ "type": "image", "data": encode(data), "mimeType": mime_type })
        }
        Content::Audio { data, mime_type } => {
            json!({ "type": "audio", "data": encode(data), "mimeType": mime_type })
        }
        Content::ResourceLink { uri, name, mime_type } => {
            json!({ "type": "resource_link", "uri": uri, "name": name, "mimeType": mime_type })
        }
        Content::Annotated(content, about) => {
            let mut block = block(content);
            let said = [
                ("annotations", about.annotations.clone().map(Value::Object)),
                ("title", about.title.clone().map(Value::from)),
                ("description", about.description.clone().map(Value::from)),
                ("size", about.size.map(Value::from)),
            ];
            if let Value::Object(members) = &mut block {
                members.extend(
                    said.into_iter()
                        .filter_map(|(key, value)| Some((key.to_owned(), value?))),
                );
            }
            block
        }
        Content::Resource { uri, mime_type, body } => match body {
            ResourceBody::Text(text) => {
                json!({ "type": "resource", "resource": { "uri": uri, "mimeType": mime_type, "text": text } })
            }
            ResourceBody::Blob(data) => {
                json!({ "type": "resource", "resource": { "uri": uri, "mimeType": mime_type, "blob": encode(data) } })
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{arguments, list};

    #[test]
    fn arguments_are_an_object_and_nothing_else() {
        assert_eq!(arguments("{\"a\":1}", 100).unwrap().len(), 1);
        for bad in ["", "[]", "1", "{", "null", "@/nonexistent"] {
            assert!(arguments(bad, 100).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_of_objects_is_a_table_and_nothing_else_is() {
        let (head, rows) =
            list(&json!({ "invoices": [{ "id": "1", "n": 2 }, { "id": "3" }], "next": "x" })).unwrap();
        assert_eq!(
            (head, rows),
            (
                vec!["id".into(), "n".into()],
                vec![vec!["1".into(), "2".into()], vec!["3".to_owned(), String::new()]]
            )
        );
        for other in [
            json!({}),
            json!([]),
            json!([1]),
            json!({ "a": [{}], "b": [{}] }),
            json!([{ "a": 1 }, 2]),
        ] {
            assert!(list(&other).is_none(), "{other}");
        }
    }
}
