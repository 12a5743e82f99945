//! An adapter of a third kind, as somebody else might write it: tables that a system serves as CSV
//! over HTTP. Its document is CSV too, a line a table: its name, its path, and its columns.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use toolhost_sdk::adapter::{
    self, Adapter, Answer, Argument, Discovered, Discovery, Document, Effects, Invocation,
    Operation, Skipped, Tool,
};
use toolhost_sdk::{Code, Content, Failure};

struct Csv;

#[derive(Serialize, Deserialize)]
struct Table {
    path: String,
    columns: Vec<String>,
}

impl Adapter for Csv {
    fn discover(document: Option<Document>) -> Result<Discovery, Failure> {
        let document =
            document.ok_or_else(|| Failure::new(Code::Unsupported, "it has no document"))?;
        let text = String::from_utf8(document.content)
            .map_err(|_| Failure::new(Code::InvalidDocument, "it is not UTF-8"))?;
        let (mut tools, mut skipped) = (Vec::new(), Vec::new());
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match table(line) {
                Some((name, table)) => tools.push(discovered(name, &table)),
                None => skipped.push(Skipped {
                    operation: line.chars().take(80).collect(),
                    id: None,
                    reason: "malformed".to_owned(),
                    message: "a table has a name, a path and columns".to_owned(),
                    meta: Vec::new(),
                }),
            }
        }
        Ok(Discovery {
            tools,
            skipped,
            base: None,
            alternatives: Vec::new(),
            meta: vec![("format".to_owned(), "CSV tables".to_owned())],
        })
    }

    fn invoke(descriptor: &[u8], invocation: &Invocation) -> Result<Answer, Failure> {
        let table: Table = serde_json::from_slice(descriptor)
            .map_err(|error| Failure::failed(error.to_string()))?;
        let wanted: Map<String, Value> = serde_json::from_str(&invocation.arguments)
            .map_err(|error| Failure::invalid_arguments(error.to_string()))?;
        let response = adapter::connection().get(&table.path).send()?;
        let body = String::from_utf8_lossy(&response.body).into_owned();
        let rows: Vec<Value> = body
            .lines()
            .map(|line| {
                let cells = table
                    .columns
                    .iter()
                    .cloned()
                    .zip(line.split(',').map(Value::from));
                cells.collect::<Map<_, _>>()
            })
            .filter(|row| {
                wanted
                    .iter()
                    .all(|(column, value)| row.get(column) == Some(value))
            })
            .map(Value::Object)
            .collect();
        let structured = json!({ "rows": rows }).to_string();
        Ok(Answer {
            content: vec![Content::Text(structured.clone())],
            structured: Some(structured),
        })
    }
}

fn table(line: &str) -> Option<(&str, Table)> {
    let mut cells = line.split(',').map(str::trim);
    let (name, path) = (cells.next()?, cells.next()?);
    let columns: Vec<String> = cells.map(str::to_owned).collect();
    let path = path.starts_with('/').then(|| path.to_owned())?;
    (!columns.is_empty()).then_some((name, Table { path, columns }))
}

fn discovered(name: &str, table: &Table) -> Discovered {
    let properties: Map<_, _> = table
        .columns
        .iter()
        .map(|column| (column.clone(), json!({ "type": "string" })))
        .collect();
    let argument = |column: &String| Argument {
        name: column.clone(),
        // Its rows are chosen here, not by the system.
        location: "content".to_owned(),
        key: String::new(),
        required: false,
        meta: Vec::new(),
    };
    Discovered {
        tool: Tool {
            name: format!("rows_of_{name}"),
            title: None,
            description: format!("Rows of the table {name}, where all columns that are given are equal."),
            input_schema: json!({ "type": "object", "properties": properties }).to_string(),
            output_schema: Some(
                json!({ "type": "object", "properties": { "rows": { "type": "array" } }, "required": ["rows"] }).to_string(),
            ),
            effects: Effects {
                read_only: true,
                destructive: false,
                idempotent: true,
                open_world: true,
            },
            requires: Vec::new(),
            cache: None,
            meta: Vec::new(),
        },
        descriptor: serde_json::to_vec(table).unwrap_or_default(),
        operation: Operation {
            method: "GET".to_owned(),
            path: table.path.clone(),
            query: Vec::new(),
            query_objects: Vec::new(),
            headers: Vec::new(),
            cookies: Vec::new(),
            content_types: Vec::new(),
            meta: Vec::new(),
        },
        arguments: table.columns.iter().map(argument).collect(),
        meta: vec![("id".to_owned(), name.to_owned())],
    }
}

toolhost_sdk::export_adapter!(Csv, manifest = "plugin.toml");
