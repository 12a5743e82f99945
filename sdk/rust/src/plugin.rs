use crate::bindings::exports::toolhost::plugin::tools as wire;
use crate::{Call, Code, Failure, Tool};

/// A tool's name, the schema of its arguments and of its result.
#[doc(hidden)]
pub type BuiltSchemas = (&'static str, &'static str, Option<&'static str>);

/// The tools of a plugin. It is built anew for every call, so building it must be cheap: no I/O,
/// nothing computed.
#[derive(Debug, Default)]
#[must_use]
pub struct Plugin {
    tools: Vec<Tool>,
}

impl Plugin {
    /// A plugin without tools.
    pub const fn new() -> Self {
        Self { tools: Vec::new() }
    }

    /// Adds a tool.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// The plugin's tools as the host takes them. Test it: it finds what the compiler cannot.
    ///
    /// # Errors
    /// A name that stands twice, or a schema that is not an object's.
    #[cfg(not(feature = "built-schemas"))]
    pub fn describe(&self) -> Result<Vec<wire::Tool>, Failure> {
        let mut described: Vec<wire::Tool> = Vec::with_capacity(self.tools.len());
        for tool in &self.tools {
            if described.iter().any(|known| known.name == tool.name) {
                return Err(Failure::failed(format!(
                    "tool {:?} stands twice",
                    tool.name
                )));
            }
            let (input, output) = tool.schemas()?;
            described.push(tool.describe(input, output));
        }
        Ok(described)
    }

    /// Describes the tools with schemas that [`crate::build::schemas`] has written.
    ///
    /// # Errors
    /// A tool whose schemas were not written.
    #[doc(hidden)]
    pub fn describe_built(&self, built: &[BuiltSchemas]) -> Result<Vec<wire::Tool>, Failure> {
        let describe = |tool: &Tool| match built.iter().find(|schemas| schemas.0 == tool.name) {
            Some((_, input, output)) => {
                Ok(tool.describe((*input).to_owned(), output.map(str::to_owned)))
            }
            None => Err(Failure::failed(
                "build.rs has written no schemas for a tool",
            )),
        };
        self.tools.iter().map(describe).collect()
    }

    /// Runs one call.
    ///
    /// # Errors
    /// The tool's failure, or `invalid-arguments` when there is no such tool or its arguments do
    /// not fit.
    pub fn invoke(&self, invocation: wire::Invocation) -> Result<wire::Outcome, Failure> {
        let Some(tool) = self.tools.iter().find(|tool| tool.name == invocation.name) else {
            return Err(Failure::new(
                Code::InvalidArguments,
                format!("there is no tool {:?}", invocation.name),
            ));
        };
        let wire::Invocation {
            arguments,
            answers,
            state,
            ..
        } = invocation;
        tool.run(&arguments, &Call::new(tool.name, answers, state))
    }
}
