//! What is asked of the store in a server alone.

mod crash;
mod hosts;
mod isolation;
mod opening;
