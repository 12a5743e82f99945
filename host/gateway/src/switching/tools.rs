use std::sync::LazyLock;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};
use toolhost_tools::with_error_branch;

use super::help::Topic;

/// A tool that the host answers itself. No plugin has one of these names: such a plugin does not
/// load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostTool {
    List,
    Switch,
    Reset,
    Help,
}

/// Which of them are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum HostToolSet {
    Nothing,
    Help,
    All,
}

static TOOLS: LazyLock<[(HostTool, Tool); 4]> = LazyLock::new(|| {
    [
        HostTool::Help,
        HostTool::List,
        HostTool::Reset,
        HostTool::Switch,
    ]
    .map(|tool| (tool, tool.to_mcp_tool()))
});

impl HostToolSet {
    /// The tools as MCP lists them, in the order of their names.
    pub(crate) fn tools(self) -> impl Iterator<Item = &'static Tool> {
        TOOLS
            .iter()
            .filter(move |(tool, _)| self.has(*tool))
            .map(|(_, described)| described)
    }

    /// The tool of this name.
    pub(crate) fn find(self, name: &str) -> Option<(HostTool, &'static Tool)> {
        TOOLS
            .iter()
            .find(|(tool, described)| self.has(*tool) && described.name == name)
            .map(|(tool, described)| (*tool, described))
    }

    fn has(self, tool: HostTool) -> bool {
        match self {
            Self::Nothing => false,
            Self::Help => tool == HostTool::Help,
            Self::All => true,
        }
    }
}

impl HostTool {
    fn to_mcp_tool(self) -> Tool {
        let id = || json!({ "type": ["string", "null"] });
        let switched = || {
            json!({
                "type": "object",
                "properties": {
                    "active_tenant_id": { "type": "string", "description": "the tenant of the calls from now on" },
                    "previous_tenant_id": id(),
                    "home_tenant_id": id(),
                    "tenant_context": { "type": "string", "description": "send it with each call for this tenant: as the argument tenant_context, or in _meta as toolhost/tenant_context; absent where the session holds the choice" },
                },
                "required": ["active_tenant_id", "previous_tenant_id", "home_tenant_id"],
                "additionalProperties": false,
            })
        };
        let none = || json!({ "type": "object", "properties": {}, "additionalProperties": false });
        let (name, title, text, input, output, reads) = match self {
            Self::List => (
                "list_tenants",
                "List tenants",
                "Lists the tenants that you may switch to. The list follows from your login and does not change with a switch.",
                none(),
                json!({
                    "type": "object",
                    "properties": {
                        "tenants": { "type": "array", "items": {
                            "type": "object",
                            "properties": {
                                "id": { "type": "string" },
                                "display_name": { "type": "string" },
                                "parent_id": id(),
                            },
                            "required": ["id", "display_name", "parent_id"],
                            "additionalProperties": false,
                        } },
                        "left_out": { "type": "integer", "description": "how many more there are than were listed" },
                        "active_tenant_id": id(),
                        "home_tenant_id": id(),
                    },
                    "required": ["tenants", "left_out", "active_tenant_id", "home_tenant_id"],
                    "additionalProperties": false,
                }),
                true,
            ),
            Self::Switch => (
                "switch_tenant",
                "Switch tenant",
                "Makes another tenant the active one for the calls that follow. Check active_tenant_id in the answer before you go on. If the answer has a tenant_context, send it with each of them.",
                json!({
                    "type": "object",
                    "properties": { "tenantId": { "type": "string", "description": "an id that list_tenants shows" } },
                    "required": ["tenantId"],
                    "additionalProperties": false,
                }),
                switched(),
                false,
            ),
            Self::Reset => (
                "reset_tenant",
                "Back to the home tenant",
                "Makes the tenant of your login the active one again.",
                none(),
                switched(),
                false,
            ),
            Self::Help => (
                "help",
                "Help",
                "Explains how to work with several tenants, and what errors mean.",
                json!({
                    "type": "object",
                    "properties": { "topic": { "type": "string", "enum": Topic::ALL.map(Topic::as_str) } },
                    "additionalProperties": false,
                }),
                json!({
                    "type": "object",
                    "properties": {
                        "topic": { "type": ["string", "null"] },
                        "topics": { "type": "array", "items": { "type": "string" } },
                        "text": { "type": "string" },
                    },
                    "required": ["topic", "topics", "text"],
                    "additionalProperties": false,
                }),
                true,
            ),
        };
        let mut tool = Tool::new(name, text, object(input));
        tool.title = Some(title.to_owned());
        tool.output_schema = Some(with_error_branch(&object(output)).into());
        // A switch changes what comes after it, and nothing outside the host.
        tool.annotations = Some(ToolAnnotations::from_raw(
            Some(title.to_owned()),
            Some(reads),
            Some(false),
            Some(true),
            Some(false),
        ));
        tool
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use toolhost_tools::HOST_TOOLS;

    use super::HostToolSet;

    #[test]
    fn the_names_that_no_plugin_may_have_are_those_of_these_tools() {
        let mut names: Vec<&str> = HostToolSet::All
            .tools()
            .map(|tool| tool.name.as_ref())
            .collect();
        let mut reserved = HOST_TOOLS.to_vec();
        names.sort_unstable();
        reserved.sort_unstable();
        assert_eq!(names, reserved);
    }

    #[test]
    fn what_is_not_offered_is_not_found() {
        assert!(
            HostToolSet::Help.find("switch_tenant").is_none()
                && HostToolSet::Help.find("help").is_some()
        );
        assert!(HostToolSet::Nothing.find("help").is_none());
    }
}
