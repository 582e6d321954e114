//! The integration tests, one binary.

mod binary;
mod cluster;
mod edge;
