//! Sessions in the store: T27, T28, E24, E25, N12, N16, and what is bounded.

mod bounds;
mod lasting;
mod owners;
