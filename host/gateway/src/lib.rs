//! The doors: mcp, http api, discovery documents, health, metrics.
