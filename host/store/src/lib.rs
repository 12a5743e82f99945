//! What is kept for plugins: one space a tenant.
