use serde::Serialize;
use toolhost_policy::{
    AuthPlacement, CheckedConnection, Connection, ConnectionName, CredentialOwner, PrincipalRule,
};

use crate::args::{ConnectionShowArgs, OutputFormat};
use crate::config::{AdapterSettings, Config};
use crate::exit::CliError;
use crate::grants::{ConnectionApproval, Lock};
use crate::output::{self, Show, head, printable};
use crate::setup::{Setup, default_cache_dir, default_to_vault, lock_of, read_config};
use crate::wiring;
use crate::wiring::adapters::{SkippedOperation, ToolNote, approved_left_out, load};

/// A connection, as its operator wrote it.
#[derive(Serialize)]
pub(super) struct ConnectionShowOutput {
    pub(super) name: String,
    /// Where there are places, with each attribute's own name in its place.
    pub(super) base: String,
    description: String,
    pub(super) principal: String,
    pub(super) credentials: String,
    /// What kind the provider is.
    pub(super) provider: String,
    pub(super) credential_of: String,
    /// How the credential goes on the wire.
    auth: String,
    /// Headers that the host sets, by name.
    headers: Vec<String>,
    /// Keys of query pairs that the host adds.
    query: Vec<String>,
    /// Arguments that the host fills.
    provide: Vec<String>,
    /// The attributes that a credential must have.
    attributes: Vec<String>,
    /// What any plugin may ask for at most, where that is narrowed.
    allow: Option<Vec<String>>,
    allow_http: bool,
    allow_loopback: bool,
    allow_private: bool,
    /// Tools that are approved of what its system describes; none where it has no adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<usize>,
    /// Operations of it that give no tool; none where what was approved is not kept any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_tool: Option<Vec<SkippedOperation>>,
    /// What of its tools is not as the system describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_notes: Option<Vec<ToolNote>>,
}

pub(super) fn run(args: &ConnectionShowArgs, format: OutputFormat) -> anyhow::Result<()> {
    let name = args.name.as_str();
    let mut config = read_config(args.config.as_deref())?;
    default_to_vault(&mut config)?;
    let known = ConnectionName::parse(name).ok();
    let known = known.and_then(|name| config.connections.get(&name));
    let Some(connection) = known else {
        let name = printable(name);
        return Err(CliError::usage(format!(
            "there is no [connections.{name}] in the configuration"
        ))
        .into());
    };
    let connection = connection.clone();
    let mut shown = ConnectionShowOutput::from_connection(&config, &connection);
    if let Some(settings) = config.adapters.remove(&connection.name) {
        let lock = Lock::read(&lock_of(&config, args.lock.as_deref()))?;
        let yes = lock.connection_approval(connection.name.as_str());
        shown.tools = Some(yes.map_or(0, |yes| yes.tools.len()));
        if let Some(yes) = yes {
            let without = without_tool(args, config, &connection, &settings, yes)?;
            (shown.without_tool, shown.tool_notes) = without.unzip();
        }
    }
    output::show(format, &shown)
}

/// Nothing is fetched, and no system is asked.
fn without_tool(
    args: &ConnectionShowArgs,
    config: Config,
    connection: &CheckedConnection,
    settings: &AdapterSettings,
    yes: &ConnectionApproval,
) -> anyhow::Result<Option<(Vec<SkippedOperation>, Vec<ToolNote>)>> {
    let cache_dir = args.cache_dir.clone().or_else(|| config.cache_dir.clone());
    let setup = Setup {
        lock: lock_of(&config, args.lock.as_deref()),
        config,
        dev_tenant: None,
        plugins: Vec::new(),
        yes: false,
        cache_dir: cache_dir.map_or_else(default_cache_dir, Ok)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let sandbox = wiring::inspection_sandbox(&setup)?;
        // Where its component is not there, the connection is shown all the same.
        let Ok(adapter) = load(&setup, &sandbox, &settings.adapter).await else {
            return Ok(None);
        };
        Ok(approved_left_out(&setup, &adapter, connection, settings, yes).await)
    })
}

impl ConnectionShowOutput {
    pub(super) fn from_connection(config: &Config, connection: &Connection) -> Self {
        let provider = config.providers.get(&connection.credentials);
        let headers = connection.headers.iter();
        let needed = headers.clone().flat_map(|(_, value)| value.attributes());
        let needed = needed.chain(connection.filled.attributes());
        let provided = connection.provide.iter();
        let needed = needed.chain(provided.clone().flat_map(|(_, value)| value.attributes()));
        let mut attributes: Vec<String> = needed.map(str::to_owned).collect();
        attributes.sort();
        attributes.dedup();
        Self {
            name: connection.name.to_string(),
            base: connection.base.to_string(),
            description: connection.description.clone(),
            principal: match connection.principal {
                PrincipalRule::User => "user",
                PrincipalRule::Machine => "machine",
                PrincipalRule::Any => "any",
            }
            .to_owned(),
            credentials: connection.credentials.clone(),
            provider: provider.map_or_else(
                || connection.credentials.clone(),
                |provider| provider.kind().to_owned(),
            ),
            credential_of: match connection.credential_of {
                CredentialOwner::Tenant => "tenant",
                CredentialOwner::User => "user",
            }
            .to_owned(),
            auth: auth(&connection.auth),
            headers: headers.map(|(name, _)| name.to_string()).collect(),
            query: connection
                .filled
                .query
                .iter()
                .map(|(key, _)| key.clone())
                .collect(),
            provide: provided.map(|(name, _)| name.clone()).collect(),
            attributes,
            allow: connection.allow.as_ref().map(|endpoints| {
                let rule = |endpoint: &toolhost_policy::Endpoint| {
                    format!("{} {}", endpoint.method, endpoint.path)
                };
                endpoints.iter().map(rule).collect()
            }),
            allow_http: connection.allow_http,
            allow_loopback: connection.allow_loopback,
            allow_private: connection.allow_private,
            tools: None,
            without_tool: None,
            tool_notes: None,
        }
    }

    pub(super) fn line(&self) -> String {
        let of = match self.credential_of.as_str() {
            "user" => "each user's own credential",
            _ => "the tenant's credential",
        };
        format!(
            "{}  {}  {of} from {}",
            self.name,
            printable(&self.base),
            self.from()
        )
    }

    fn from(&self) -> String {
        if self.provider == self.credentials {
            self.credentials.clone()
        } else {
            format!("[providers.{}], kind {}", self.credentials, self.provider)
        }
    }

    fn members(&self) -> Vec<(&'static str, String)> {
        let none = || "none".to_owned();
        let all = |texts: &[String]| {
            if texts.is_empty() {
                none()
            } else {
                texts.join(", ")
            }
        };
        let allow = self
            .allow
            .as_ref()
            .map_or_else(|| "what plugins ask for".to_owned(), |allow| all(allow));
        let mut members = vec![
            ("name", self.name.clone()),
            ("base", printable(&self.base)),
            ("description", printable(&self.description)),
            ("principal", self.principal.clone()),
            ("credentials", self.from()),
            ("credential of", self.credential_of.clone()),
            ("auth", self.auth.clone()),
            ("headers", all(&self.headers)),
            ("query", printable(&all(&self.query))),
            ("provide", printable(&all(&self.provide))),
            ("needs", all(&self.attributes)),
            ("allow", allow),
            (
                "addresses",
                match (self.allow_loopback, self.allow_private) {
                    (false, false) => "public".to_owned(),
                    (true, false) => "public, this machine".to_owned(),
                    (false, true) => "public, private networks".to_owned(),
                    (true, true) => "public, this machine, private networks".to_owned(),
                },
            ),
            (
                "cleartext",
                if self.allow_http {
                    "allowed"
                } else {
                    "refused"
                }
                .to_owned(),
            ),
        ];
        members.extend(
            self.tools
                .map(|tools| ("approved tools", tools.to_string())),
        );
        let without = self.without_tool.iter().flatten();
        members.extend(without.map(|left| ("without tool", left.line())));
        let notes = self.tool_notes.iter().flatten();
        members.extend(notes.map(|note| ("tool", note.line())));
        members
    }
}

/// Where the secret goes, and nothing of it.
fn auth(auth: &AuthPlacement) -> String {
    match auth {
        AuthPlacement::Bearer => "bearer".to_owned(),
        AuthPlacement::Basic => "basic".to_owned(),
        AuthPlacement::Header { name, .. } => format!("header {name}"),
        AuthPlacement::Query { key } => format!("query {key}"),
        AuthPlacement::Body { pointer } => format!("body {pointer}"),
        AuthPlacement::Parts(parts) => {
            let each = parts
                .iter()
                .map(|part| format!("{}: {}", part.name, self::auth(&part.auth)));
            each.collect::<Vec<_>>().join(", ")
        }
        AuthPlacement::None => "none".to_owned(),
    }
}

impl Show for ConnectionShowOutput {
    fn text(&self) -> String {
        let line = |(name, value): (&str, String)| format!("{name:<14} {value}");
        self.members()
            .into_iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let rows = self
            .members()
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), value]);
        (head(&["member", "value"]), rows.collect())
    }
}
