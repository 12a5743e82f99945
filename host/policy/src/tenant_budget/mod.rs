//! What one tenant may use of a host, over a minute and at once.
//!
//! - [`TenantLimits`]: the numbers, with their keys.
//! - [`TenantMeter`]: what a tenant has used of late, and whether there is more.
//! - [`OverBudget`]: which number was reached, and when to try again.

mod bucket;
mod limits;
mod meter;

pub use limits::{TenantLimit, TenantLimits, TenantLimitsPatch};
pub use meter::{CallPermit, OverBudget, TenantMeter};
