use std::io;

use crate::NetErrorKind;

/// Why no connection came about.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(crate) enum ConnectFailure {
    #[error("connecting took too long")]
    Timeout,
    #[error("could not connect")]
    Io(io::ErrorKind),
    #[error("the connection leads elsewhere")]
    Peer,
    /// After it came about: the other side sends without end what is no answer.
    #[error("the other side sends more than its answers")]
    Flood,
    /// The tenant has as many sockets as it may have, or everybody together has.
    #[error("no socket is free")]
    Sockets,
}

impl ConnectFailure {
    pub(crate) fn kind(self) -> NetErrorKind {
        match self {
            Self::Timeout => NetErrorKind::ConnectTimeout,
            Self::Io(kind) => NetErrorKind::Connect(kind),
            Self::Peer => NetErrorKind::Peer,
            Self::Flood => NetErrorKind::Flood,
            Self::Sockets => NetErrorKind::Sockets,
        }
    }
}
