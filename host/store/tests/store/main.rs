//! What lasts, and what is never served: one suite for every implementation of the store, and the
//! embedded store against crashes, damage, full disks and other processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

mod backup;
mod crash;
mod damage;
mod durable;
mod full_disk;
mod handles;
mod keys;
mod lifecycle;
mod migration;
mod model;
mod owner;
mod place;
mod postgres;
mod rotation;
mod rows;
mod server;
mod suite;
mod town;
mod traces;
