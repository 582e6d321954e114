//! The floors of `ARCHITECTURE.md`, held.
