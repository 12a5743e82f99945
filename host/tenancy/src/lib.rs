//! Whose call it is: keys of issuers, the directory, sessions.
