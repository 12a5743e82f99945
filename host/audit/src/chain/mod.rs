//! The chain over events: files in which each record seals all that came before it.
//!
//! A chain is a directory of segments `000001.jsonl`, `000002.jsonl`, … and a `head`. A line of a
//! segment is one JSON object: `seq`, `time`, the event's members and `mac`, which is HMAC-SHA-256
//! over the `mac` of the line before and the line itself up to its own. What orders records is
//! `seq`; `time` is a clock that may jump. The first line of a segment repeats the last `mac` of
//! the one before. The head says how far the chain reached when it was last synced, so that a cut
//! end is found.
//!
//! What it cannot show is a directory that was removed, or put back whole, head and all, to an
//! older copy while no host was running. The remedy is to keep heads elsewhere: the last line of an
//! [`export`] is one, and [`verify`] takes it as a [`KnownHead`]. Records that were not synced yet,
//! of the last second, can be cut without a trace after the host was killed and before it runs
//! again.

mod export;
mod head;
mod key;
mod key_name;
mod line;
mod name;
mod open_chain;
mod open_chains;
mod recover;
mod segment;
mod settings;
mod sink;
mod tail;
mod verify;
mod walk;
mod writer;

pub use export::{KnownHead, export};
pub use key::{ChainKey, ChainKeys};
pub use name::Chain;
pub use settings::{ChainSettings, Figures};
pub use sink::ChainSink;
pub use tail::{MAX_TAIL, Tail};
pub use verify::{ChainFinding, ChainProblem, MAX_PROBLEMS, VerifyReport, verify};

use crate::SinkError;

/// Why a chain cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is none.
    #[error("there is no audit chain of {0}")]
    None(Chain),
    /// The operating system says no.
    #[error("the audit chain cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Its key.
    #[error(transparent)]
    Key(#[from] SinkError),
    /// Its head is damaged, so that nothing says how far it reaches.
    #[error("the audit chain of {chain} is damaged ({found}): `host audit verify` says more")]
    Damaged {
        /// Which.
        chain: Chain,
        /// What was found.
        found: String,
    },
}
