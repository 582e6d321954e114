//! The integration tests, one binary.

mod binary;
