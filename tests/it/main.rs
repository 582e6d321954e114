//! The integration tests, one binary.

mod edge;
