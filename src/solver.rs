//! `Present` and `CleanUp`: decisions only. What they need of the outside comes through [`port`].

pub mod error;
pub mod port;
