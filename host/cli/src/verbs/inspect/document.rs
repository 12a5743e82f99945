use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use toolhost_policy::{
    AuthPlacement, CheckedConnection, Connection, ConnectionName, Limits, PluginName,
};
use toolhost_sandbox::contract;
use toolhost_tools::refusals;
use url::Url;

use crate::args::{InspectArgs, OutputFormat};
use crate::exit::CliError;
use crate::grants::sha256;
use crate::output::{self, Show, bytes, printable};
use crate::setup::{self, Setup, default_cache_dir};
use crate::spinner::Spinner;
use crate::wiring;
use crate::wiring::adapters::{SkippedOperation, left_out, load, of_file};

/// One line of a description is enough to know a tool by.
const SHOWN: usize = 120;

/// What an adapter makes of a document.
#[derive(Serialize)]
struct DocumentReport {
    file: String,
    sha256: String,
    size: u64,
    adapter: String,
    format: Option<String>,
    title: Option<String>,
    version: Option<String>,
    base: Option<String>,
    alternatives: Vec<String>,
    tools: Vec<DocumentToolReport>,
    /// Operations that give no tool.
    without_tool: Vec<SkippedOperation>,
}

#[derive(Serialize)]
struct DocumentToolReport {
    name: String,
    /// The operation's own id, which `operations` of a connection takes too.
    id: Option<String>,
    operation: String,
    title: Option<String>,
    description: String,
    read_only: bool,
    destructive: bool,
    input_schema: Value,
    output_schema: Option<Value>,
    /// What of the operation the tool does not offer.
    notes: Vec<String>,
}

/// Shows what tools a document would give, and why an operation gives none. It is read in the
/// sandbox.
///
/// # Errors
/// The file cannot be read, is no document of the adapter's, or the adapter is not there.
pub(super) fn run(args: &InspectArgs, format: OutputFormat) -> anyhow::Result<()> {
    let document = of_file(&args.file).map_err(CliError::usage)?;
    let (digest, size) = (sha256(&document), document.len() as u64);
    let (name, file) = match args.adapter.split_once('=') {
        Some((name, file)) => (name, Some(file)),
        None => (args.adapter.as_str(), None),
    };
    let name =
        PluginName::parse(name).map_err(|why| CliError::usage(format!("--adapter: {why}")))?;
    let mut config = setup::read_config(args.config.as_deref())?;
    if let Some(file) = file {
        config.adapter_files.insert(name.clone(), file.into());
    }
    let setup = Setup {
        config,
        dev_tenant: None,
        plugins: Vec::new(),
        yes: false,
        lock: std::path::PathBuf::new(),
        cache_dir: args.cache_dir.clone().map_or_else(default_cache_dir, Ok)?,
    };
    let discovery = discover(&setup, &name, document)?.map_err(|failure| {
        let why = printable(&failure.message);
        CliError::usage(format!(
            "{}: no document that {name} can read: {why}",
            args.file.display()
        ))
    })?;
    let report = report(args, &name, discovery, digest, size)?;
    output::show(format, &report)
}

fn discover(
    setup: &Setup,
    name: &PluginName,
    document: Vec<u8>,
) -> anyhow::Result<Result<contract::Discovery, contract::Failure>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let audit = Arc::new(toolhost_audit::LogSink);
        let egress = wiring::egress(wiring::network()?, wiring::no_credentials(), audit)?;
        let cache = Some(setup.cache_dir.clone());
        let sandbox = wiring::sandbox(Limits::default(), 1, cache, egress, wiring::no_values())?;
        let adapter = load(setup, &sandbox, name).await?;
        let _progress = Spinner::start("reading the document".to_owned());
        let found = adapter.discover(document, None, &[]).await;
        Ok(found.map_err(|error| CliError::plugin(error.to_string()))?)
    })
}

fn report(
    args: &InspectArgs,
    adapter: &PluginName,
    discovery: contract::Discovery,
    sha256: String,
    size: u64,
) -> anyhow::Result<DocumentReport> {
    let said = |key: &str| first_value(&discovery.meta, key);
    let connection = CheckedConnection::new(any_connection()?)?;
    let without_tool = left_out(&connection, &discovery);
    let refused = refusals(&connection, &discovery.tools);
    let is_refused = |name: &str| refused.iter().any(|refusal| refusal.tool == name);
    let tools = discovery
        .tools
        .iter()
        .filter(|found| !is_refused(&found.tool.name))
        .map(|found| {
            let operation = format!("{} {}", found.operation.method, found.operation.path);
            tool(found, operation, first_value(&found.meta, "id"))
        })
        .collect();
    Ok(DocumentReport {
        file: args.file.display().to_string(),
        sha256,
        size,
        adapter: adapter.to_string(),
        format: said("format"),
        title: said("title"),
        version: said("version"),
        base: discovery.base.clone(),
        alternatives: discovery.alternatives.clone(),
        tools,
        without_tool,
    })
}

fn tool(found: &contract::Discovered, operation: String, id: Option<String>) -> DocumentToolReport {
    let json = |text: &String| serde_json::from_str(text).unwrap_or_default();
    let notes = found.meta.iter().filter(|(key, _)| key == "note");
    DocumentToolReport {
        name: found.tool.name.clone(),
        id,
        operation,
        title: found.tool.title.clone(),
        description: found.tool.description.clone(),
        read_only: found.tool.effects.read_only,
        destructive: found.tool.effects.destructive,
        input_schema: json(&found.tool.input_schema),
        output_schema: found.tool.output_schema.as_ref().map(json),
        notes: notes.map(|(_, note)| note.clone()).collect(),
    }
}

fn first_value(meta: &[(String, String)], key: &str) -> Option<String> {
    let found = meta.iter().find(|(known, _)| known == key);
    found.map(|(_, value)| value.clone())
}

/// Any: which tools the host would serve depends on no operator's word.
pub(super) fn any_connection() -> anyhow::Result<Connection> {
    Ok(Connection {
        auth: AuthPlacement::None,
        credentials: String::new(),
        ..Connection::new(
            ConnectionName::parse("document")?,
            Url::parse("https://document.invalid/")?,
        )
    })
}

impl Show for DocumentReport {
    fn text(&self) -> String {
        let mut lines = vec![
            format!("file      {}", self.file),
            format!("sha256    {}", self.sha256),
            format!("size      {}", bytes(self.size)),
            format!("adapter   {}", self.adapter),
        ];
        let mut line =
            |name: &str, value: &str| lines.push(format!("{name:<9} {}", printable(value)));
        for (name, value) in [
            ("format", &self.format),
            ("title", &self.title),
            ("version", &self.version),
            ("base", &self.base),
        ] {
            if let Some(value) = value {
                line(name, value);
            }
        }
        for other in &self.alternatives {
            line("or", other);
        }
        for tool in &self.tools {
            let effect = match (tool.read_only, tool.destructive) {
                (true, _) => "read-only",
                (false, true) => "destructive",
                (false, false) => "writes",
            };
            let said: String = tool
                .description
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(SHOWN)
                .collect();
            line(
                "tool",
                &format!("{} ({effect}, {}): {said}", tool.name, tool.operation),
            );
            for note in &tool.notes {
                line("", &format!("  without {note}"));
            }
        }
        for without in &self.without_tool {
            line(
                "no tool",
                &format!(
                    "{} ({}): {}",
                    without.operation, without.reason, without.message
                ),
            );
        }
        line(
            "verdict",
            &format!(
                "tools: {}, operations without one: {}",
                self.tools.len(),
                self.without_tool.len()
            ),
        );
        lines.join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let served = self.tools.iter().map(|tool| {
            let id = tool.id.clone().unwrap_or_default();
            vec![
                tool.operation.clone(),
                id,
                tool.name.clone(),
                tool.notes.join("; "),
            ]
        });
        let without = self.without_tool.iter().map(|without| {
            let id = without.id.clone().unwrap_or_default();
            let why = format!("{}: {}", without.reason, without.message);
            vec![without.operation.clone(), id, "-".to_owned(), why]
        });
        (
            output::head(&["operation", "id", "tool", "note"]),
            served.chain(without).collect(),
        )
    }
}
