//! The embedded store: sled, a database a space.
//!
//! sled alone loses writes with the power, opens a damaged file as an empty database and panics
//! over others. So:
//!
//! - a write is acknowledged after sled's flush **and** an fdatasync of its file ([`commit`]);
//! - every batch writes a sealed [`tally`] of what must be there; opening counts, and what does not
//!   add up is not served;
//! - the number of the last batch stands beside the log ([`watermark`]): a log whose end is lost
//!   opens as it was before;
//! - every record is sealed and bound to its place ([`crate::seal`]);
//! - a value that was opened is kept for a while ([`opened_values`]), and never past a write of it
//!   or the end of its key;
//! - a tenant exists where the host's space says so, and is damaged where its files do not agree
//!   ([`lifecycle`]);
//! - what sled panics over is caught, and the space goes into quarantine while the others are
//!   served.

mod backup;
mod backup_file;
mod build;
mod check;
mod commit;
mod data_dir;
mod database;
mod failure;
mod handles;
mod lifecycle;
mod migration;
mod opened_values;
mod read;
mod reseal;
mod restore;
mod settings;
mod store;
mod tally;
mod watermark;

pub use backup::SpaceBackup;
pub use check::{SpaceContents, SpaceReport};
pub use data_dir::DataDir;
pub use restore::{RestoreOutcome, RestoreScope, RestoredSpace};
pub use settings::EmbeddedSettings;
pub use store::SledStore;
