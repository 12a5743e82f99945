//! Finding a credential in what an outside system sends back, in whatever way it is spelt.
//!
//! - `parts`: which parts of a credential give it away, and which any credential shares.
//! - `encodings`: how a part may be spelt.
//! - [`NeedleSet`]: all spellings in two automata, one for the text as it is and one for the text normalised.
//! - `Normaliser`: whitespace and backslashes dropped, common escapes decoded.
//! - [`Scrubber`]: one text, whole or in chunks.
//! - [`Needles`], [`NeedleCache`]: what one call's credential makes needles of, built once.

mod cache;
pub(crate) mod encodings;
mod needles;
mod normalise;
pub(crate) mod parts;
mod scrubber;

pub(crate) use cache::CacheKey;
pub use cache::NeedleCache;
pub use needles::{NeedleSet, Needles};
pub(crate) use normalise::Normaliser;
pub use scrubber::{REDACTED, Reflected, Scrubber};
pub(crate) use scrubber::{State, scrub_value, scrub_whole};
