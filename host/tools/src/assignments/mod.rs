//! Which tenant may call what, and how far its tools may go: what the operator says of the whole
//! host, and what it says of one tenant, which stands in that tenant's own space.

mod record;
mod rights;
mod rules;
mod tenant_assignments;
#[cfg(test)]
mod tests;

pub use record::{Assignment, ToolChoice};
pub(crate) use rights::TenantRights;
pub use rules::{AssignmentRules, DefaultAssignment};
pub use tenant_assignments::{AssignmentError, Assignments, TenantAssignments};
