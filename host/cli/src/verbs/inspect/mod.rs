mod document;
mod plugin_judgement;

use std::collections::BTreeMap;
use std::io::Read;

use serde::Serialize;
use toolhost_policy::{Limit, Limits};
use toolhost_sandbox::inspect;

use crate::args::{InspectArgs, OutputFormat};
use crate::exit::CliError;
use crate::grants::PluginApproval;
use crate::output::{self, Show, bytes, printable, printable_lines};
use crate::wiring::{self, is_pipe, read_capped};

#[derive(Serialize)]
struct PluginReport {
    file: String,
    digest: String,
    size: u64,
    kind: Option<&'static str>,
    exports: Vec<String>,
    imports: Vec<String>,
    /// What the plugin asks for, with its tools by name.
    asks: Option<PluginApproval>,
    tools: Vec<PluginToolReport>,
    /// It makes tools of described systems, and is set on connections.
    adapter: bool,
    runs: bool,
    /// It runs as soon as somebody has said yes to what it asks for.
    waits_for_yes: bool,
    why_not: Vec<String>,
}

#[derive(Serialize)]
struct PluginToolReport {
    name: String,
    description: String,
    read_only: bool,
    destructive: bool,
    input_schema: serde_json::Value,
}

impl Show for PluginReport {
    fn text(&self) -> String {
        let mut lines = vec![
            format!("file      {}", self.file),
            format!("sha256    {}", self.digest),
            format!("size      {}", bytes(self.size)),
            format!("kind      {}", self.kind.unwrap_or("not a plugin")),
        ];
        let list = |name: &str, items: &[String], lines: &mut Vec<String>| {
            for (index, item) in items.iter().enumerate() {
                let head = if index == 0 { name } else { "" };
                lines.push(format!("{head:<9} {}", printable(item)));
            }
        };
        list("exports", &self.exports, &mut lines);
        list("imports", &self.imports, &mut lines);
        if let Some(asks) = &self.asks {
            lines.push(format!(
                "plugin    {} {}",
                printable(&asks.name),
                printable(&asks.version)
            ));
            for (name, connection) in &asks.connections {
                lines.push(format!(
                    "asks for  connection {name} (callers: {})",
                    connection.principal
                ));
                lines.extend(
                    connection
                        .allow
                        .iter()
                        .map(|endpoint| format!("            {}", printable(endpoint))),
                );
            }
            for (limit, value) in &asks.limits {
                lines.push(format!("limit     {limit} = {value}"));
            }
        }
        for tool in &self.tools {
            let effect = match (tool.read_only, tool.destructive) {
                (true, _) => " (read-only)",
                (false, true) => " (destructive)",
                (false, false) => "",
            };
            lines.push(format!(
                "tool      {}{effect}: {}",
                printable(&tool.name),
                printable(&tool.description)
            ));
        }
        if self.runs {
            let more = match (self.adapter, self.waits_for_yes) {
                (true, _) => ", as the adapter of connections",
                (false, true) => ", once what it asks for is granted: host run asks, or pass --yes",
                (false, false) => "",
            };
            lines.push(format!("verdict   this host would run it{more}"));
        }
        for why in &self.why_not {
            let why = printable_lines(why, 10);
            lines.push(format!("verdict   this host would not run it: {why}"));
        }
        lines.join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let text = self.text();
        let rows = text.lines().map(|line| {
            let (key, value) = line.split_at_checked(10).unwrap_or((line, ""));
            vec![key.trim().to_owned(), value.to_owned()]
        });
        (output::head(&["what", "value"]), rows.collect())
    }
}

/// Shows what a file is. It is compiled and asked for its tools where nothing found before speaks
/// against that; it runs in the sandbox then, and reaches nothing.
pub(super) fn run(args: &InspectArgs, format: OutputFormat) -> anyhow::Result<()> {
    if is_pipe(&args.file) {
        return Err(CliError::usage(format!("{}: it is a pipe", args.file.display())).into());
    }
    if !is_binary(&args.file) {
        return document::run(args, format);
    }
    let limits = Limits::default();
    // One that is too large to run is still worth a look.
    let file = read_capped(&args.file, Limit::component_bytes.ceiling())?;
    let found = inspect(&file, &limits);
    let mut why_not = found.obstacles.clone();
    let mut tools = Vec::new();
    let mut described = BTreeMap::new();
    let mut waits_for_yes = false;
    // An adapter has no tools until it has a document.
    if why_not.is_empty() && !found.is_adapter {
        match plugin_judgement::judge(args, &file) {
            Ok(judged) => {
                described = judged
                    .tools
                    .iter()
                    .map(|tool| (tool.name.clone(), wiring::approval_json(tool)))
                    .collect();
                tools = judged.tools.iter().map(report).collect();
                waits_for_yes = judged.waits_for_yes;
                why_not.extend(judged.why_not);
            }
            Err(error) => why_not.push(format!("{error:#}")),
        }
    }
    let manifest = found.manifest.ok().flatten();
    let report = PluginReport {
        file: args.file.display().to_string(),
        digest: found.digest.to_string(),
        size: found.size,
        kind: found.kind.ok(),
        exports: found.exports,
        imports: found.imports,
        asks: manifest
            .map(|manifest| PluginApproval::new(&manifest, found.digest.to_string(), &described)),
        tools,
        adapter: found.is_adapter,
        runs: why_not.is_empty(),
        waits_for_yes,
        why_not,
    };
    output::show(format, &report)?;
    if report.runs {
        Ok(())
    } else {
        Err(CliError::plugin(format!("{}: this host would not run it", report.file)).into())
    }
}

/// Whether a file is WebAssembly or native code, or is called so, and so no document. What cannot
/// be read is told by who reads it whole.
fn is_binary(path: &std::path::Path) -> bool {
    let mut head = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    let is_called_so = path
        .extension()
        .is_some_and(|extension| extension == "wasm");
    is_called_so || read.is_err() || head == *b"\0asm" || head == *b"\x7fELF"
}

fn report(tool: &toolhost_sandbox::contract::Tool) -> PluginToolReport {
    PluginToolReport {
        name: tool.name.clone(),
        description: tool.description.clone(),
        read_only: tool.effects.read_only,
        destructive: tool.effects.destructive,
        input_schema: serde_json::from_str(&tool.input_schema).unwrap_or_default(),
    }
}
