//! Where bytes may go: dns, address classes, pinning, tls.
