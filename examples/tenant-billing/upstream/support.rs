use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::middleware::from_fn_with_state;
use http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler};
use serde::Serialize;
use serde_json::{Value, json};

use crate::customers::{Accounts, Customer, authenticate};

#[derive(Clone, Serialize)]
struct Ticket {
    id: &'static str,
    #[serde(skip)]
    of: &'static str,
    subject: &'static str,
    status: &'static str,
    notes: Vec<String>,
}

/// An MCP server at `/mcp`, one for all customers: whose tickets they are is in each request.
pub(crate) fn router(accounts: Accounts) -> Router {
    let tickets = Arc::new(Mutex::new(tickets()));
    let desk = move || {
        Ok(HelpDesk {
            tickets: Arc::clone(&tickets),
        })
    };
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let service =
        StreamableHttpService::new(desk, Arc::new(LocalSessionManager::default()), config);
    Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(accounts, authenticate))
}

fn tickets() -> Vec<Ticket> {
    let ticket = |of, id, subject, status| Ticket {
        id,
        of,
        subject,
        status,
        notes: Vec::new(),
    };
    vec![
        ticket("acme", "T-1", "The rocket came without fuel", "open"),
        ticket("acme", "T-2", "An invoice names the wrong canyon", "open"),
        ticket(
            "globex",
            "T-3",
            "An invoice for the doomsday device",
            "open",
        ),
        ticket("globex", "T-4", "The volcano is too warm", "closed"),
    ]
}

struct HelpDesk {
    tickets: Arc<Mutex<Vec<Ticket>>>,
}

impl HelpDesk {
    fn call(&self, customer: Customer, tool: &str, arguments: &Value) -> Result<Value, String> {
        let text = |name: &str| {
            arguments
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = tickets.iter_mut().filter(|ticket| ticket.of == customer.0);
        let mut find = || {
            let id = text("id");
            own.find(|ticket| ticket.id == id)
                .ok_or_else(|| format!("there is no ticket {id}"))
        };
        match tool {
            "get_ticket" => Ok(json!(find()?)),
            "add_internal_note" => {
                let ticket = find()?;
                ticket.notes.push(text("note").to_owned());
                Ok(json!(ticket))
            }
            "search_tickets" => {
                let words = text("query").to_lowercase();
                let found: Vec<&mut Ticket> = own
                    .filter(|ticket| ticket.subject.to_lowercase().contains(&words))
                    .collect();
                Ok(json!({ "tickets": found }))
            }
            _ => Err(format!("{tool} is for people")),
        }
    }
}

fn tools() -> Vec<Tool> {
    let ticket = json!({
        "type": "object", "required": ["id", "subject", "status", "notes"],
        "properties": {
            "id": {"type": "string"}, "subject": {"type": "string"}, "status": {"enum": ["open", "closed"]},
            "notes": {"type": "array", "items": {"type": "string"}},
        },
    });
    let id = json!({"type": "string", "pattern": "^T-[0-9]{1,9}$"});
    let note = json!({"type": "string", "minLength": 1, "maxLength": 2000});
    let one = json!({ "id": id });
    let noted = json!({ "id": id, "note": note });
    vec![
        tool(
            "search_tickets",
            "Finds tickets by words of their subject.",
            &json!({ "query": {"type": "string", "maxLength": 200} }),
            json!({"type": "object", "required": ["tickets"], "properties": {"tickets": {"type": "array", "items": ticket}}}),
            ToolAnnotations::new().read_only(true),
        ),
        tool(
            "get_ticket",
            "Shows one ticket.",
            &one,
            ticket.clone(),
            ToolAnnotations::new().read_only(true),
        ),
        tool(
            "add_internal_note",
            "Adds a note that the customer does not see.",
            &noted,
            ticket.clone(),
            ToolAnnotations::new().destructive(false),
        ),
        tool(
            "delete_ticket",
            "Deletes a ticket.",
            &one,
            ticket,
            ToolAnnotations::new().destructive(true),
        ),
    ]
}

fn tool(
    name: &'static str,
    description: &'static str,
    properties: &Value,
    output: Value,
    annotations: ToolAnnotations,
) -> Tool {
    let required: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .collect();
    let input = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    let object = |value: Value| match value {
        Value::Object(object) => Arc::new(object),
        _ => Arc::default(),
    };
    let mut tool = Tool::new(name, description, object(input)).annotate(annotations);
    tool.output_schema = Some(object(output));
    tool
}

impl ServerHandler for HelpDesk {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<Parts>();
        let customer = parts.and_then(|parts| parts.extensions.get::<Customer>());
        let customer = *customer.ok_or_else(|| ErrorData::internal_error("nobody asks", None))?;
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let result = match self.call(customer, &request.name, &arguments) {
            Ok(found) => CallToolResult::structured(found),
            Err(why) => CallToolResult::error(vec![ContentBlock::text(why)]),
        };
        Ok(result.into())
    }
}
