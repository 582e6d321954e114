//! The integration tests, one binary.

mod attack;
mod binary;
mod cluster;
mod edge;
mod propagation;
mod writes;
