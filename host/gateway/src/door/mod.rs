//! The HTTP door itself: which connections are open, what becomes of each, and how they end.

mod accept;
mod framing;
mod places;
mod stream;

pub(crate) use accept::{HttpDoor, Leaving};
pub(crate) use places::{ConnectionPlace, RequestPlace, no_place};
