use std::time::Duration;

use schemars::JsonSchema;
#[cfg(not(feature = "built-schemas"))]
use schemars::Schema;
use serde::de::DeserializeOwned;

use crate::bindings::exports::toolhost::plugin::tools as wire;
#[cfg(not(feature = "built-schemas"))]
use crate::schema;
use crate::{Call, Failure, Reply};

type Run = Box<dyn Fn(&str, &Call) -> Result<wire::Outcome, Failure>>;

/// A function, and what a model and a host need to know of it.
pub struct Tool {
    pub(crate) name: &'static str,
    title: Option<&'static str>,
    description: &'static str,
    effects: wire::Effects,
    requires: Vec<ClientCapability>,
    cache: Option<(Duration, CacheScope)>,
    // Derived when the host asks for them, which is once; a call must not pay for them.
    #[cfg(not(feature = "built-schemas"))]
    schemas: fn() -> (Schema, Option<Schema>),
    run: Run,
}

impl std::fmt::Debug for Tool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tool")
            .field("name", &self.name)
            .field("effects", &self.effects)
            .finish_non_exhaustive()
    }
}

/// What the client must be able to do for a tool to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCapability {
    /// Ask the person.
    Elicitation,
    /// Ask the client's model.
    Sampling,
}

/// Who may get a remembered answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheScope {
    /// Every caller of one customer.
    Shared,
    /// One caller only.
    Personal,
}

impl Tool {
    /// A tool from a function `fn(Arguments, &Call) -> Result<impl Reply, Failure>`.
    ///
    /// The name is `[A-Za-z0-9_-]`, 1 to 64 characters. Until something else is said, a tool counts
    /// as one that may change and destroy, may not be repeated, and reaches nothing that others
    /// write.
    pub fn new<A, R, F>(name: &'static str, function: F) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: Reply,
        F: Fn(A, &Call) -> Result<R, Failure> + 'static,
    {
        Self {
            name,
            title: None,
            description: "",
            effects: wire::Effects {
                read_only: false,
                destructive: true,
                idempotent: false,
                open_world: false,
            },
            requires: Vec::new(),
            cache: None,
            #[cfg(not(feature = "built-schemas"))]
            schemas: || (schema::of_arguments::<A>(), R::schema()),
            run: Box::new(move |arguments, call| {
                let arguments = serde_json::from_slice(arguments.as_bytes()).map_err(|error| {
                    Failure::invalid_arguments(format!("the arguments do not fit: {error}"))
                })?;
                function(arguments, call)?.into_wire()
            }),
        }
    }

    /// A name for people.
    #[must_use]
    pub const fn title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    /// What the tool does, when to use it and what comes back: the model chooses by it.
    #[must_use]
    pub const fn description(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// It changes nothing outside the plugin; hence nothing is destroyed and repeating is harmless.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.effects.read_only = true;
        self.effects.destructive = false;
        self.effects.idempotent = true;
        self
    }

    /// It may remove or overwrite something. This is what is assumed until something else is said.
    #[must_use]
    pub const fn destructive(mut self) -> Self {
        self.effects.destructive = true;
        self.effects.read_only = false;
        self
    }

    /// It changes something, but only adds.
    #[must_use]
    pub const fn additive(mut self) -> Self {
        self.effects.destructive = false;
        self.effects.read_only = false;
        self
    }

    /// Declares that repeating a call changes nothing more.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.effects.idempotent = true;
        self
    }

    /// It reaches systems whose contents others write.
    #[must_use]
    pub const fn open_world(mut self) -> Self {
        self.effects.open_world = true;
        self
    }

    /// The tool does not work without this capability of the client.
    #[must_use]
    pub fn requires(mut self, capability: ClientCapability) -> Self {
        self.requires.push(capability);
        self
    }

    /// An equal call may be answered from memory this long.
    #[must_use]
    pub const fn cache(mut self, for_how_long: Duration, scope: CacheScope) -> Self {
        self.cache = Some((for_how_long, scope));
        self
    }

    pub(crate) fn run(&self, arguments: &str, call: &Call) -> Result<wire::Outcome, Failure> {
        (self.run)(arguments, call)
    }

    /// The schemas as JSON text, of the arguments and of the structured result.
    #[cfg(not(feature = "built-schemas"))]
    pub(crate) fn schemas(&self) -> Result<(String, Option<String>), Failure> {
        let refuse = |why: &str| Err(Failure::failed(format!("tool {:?}: {why}", self.name)));
        let (input, output) = (self.schemas)();
        if !schema::is_object(&input) {
            return refuse("its arguments are not a struct, and MCP wants an object");
        }
        if output
            .as_ref()
            .is_some_and(|output| !schema::is_object(output))
        {
            return refuse("its result is not a struct, and MCP wants an object: wrap it in one");
        }
        Ok((
            input.as_value().to_string(),
            output.map(|output| output.as_value().to_string()),
        ))
    }

    pub(crate) fn describe(
        &self,
        input_schema: String,
        output_schema: Option<String>,
    ) -> wire::Tool {
        wire::Tool {
            name: self.name.to_owned(),
            title: self.title.map(str::to_owned),
            description: self.description.to_owned(),
            input_schema,
            output_schema,
            effects: self.effects,
            requires: self
                .requires
                .iter()
                .map(|capability| capability.as_str().to_owned())
                .collect(),
            cache: self.cache.map(|(ttl, scope)| wire::Cache {
                ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
                scope: scope.as_str().to_owned(),
            }),
            meta: Vec::new(),
        }
    }
}

impl ClientCapability {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Elicitation => "elicitation",
            Self::Sampling => "sampling",
        }
    }
}

impl CacheScope {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Personal => "personal",
        }
    }
}
