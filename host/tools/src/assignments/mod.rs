//! Which tenant may call what, and how far its tools may go: what the operator says of the whole host, and what it says of
//! one tenant, which stands in that tenant's own space.

mod kept;
mod record;
mod rights;
mod rules;
#[cfg(test)]
mod tests;

pub use kept::{AssignmentError, Assignments, TenantAssignments};
pub use record::{Assignment, ToolChoice};
pub(crate) use rights::Rights;
pub use rules::{AssignmentRules, WhoHas};
