//! Finding a credential in what an outside system sends back, in whatever way it is spelt.
//!
//! - `parts`: which parts of a credential give it away, and which any credential shares.
//! - `encodings`: how a part may be spelt.
//! - [`NeedleSet`]: all spellings in two automata, one for the text as it is and one for the text
//!   normalised.
//! - `normalise`, `escape`: one pass over a text. `chain`: passes until nothing changes.
//! - `gaps`: what may stand between the characters. `markup`: tags between them.
//! - `numbers`: bytes as a list of numbers. `radix`: base64, base32, hexadecimal and binary.
//!   `runs`: where there is any of these.
//! - `text_search`: all of these, within each other, for one text; how deep, and how much of it.
//! - [`Scrubber`]: one text, whole or in chunks.
//! - [`Needles`], [`NeedleCache`]: what one call's credential makes needles of, built once.

mod cache;
mod chain;
mod decode_budget;
pub(crate) mod encodings;
mod escape;
mod gaps;
mod markup;
mod matcher;
mod needles;
mod normalise;
mod numbers;
pub(crate) mod parts;
mod radix;
mod runs;
mod scrubber;
mod text_search;

pub use cache::NeedleCache;
pub(crate) use cache::NeedleCacheKey;
pub use needles::{NeedleSet, Needles};
pub use scrubber::{REDACTED, ReflectionError, Scrubber};
pub(crate) use scrubber::{ScrubState, scrub_value, scrub_whole};
