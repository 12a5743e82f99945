//! Which credential: providers for (tenant, connection[, user]).
