//! How true is "live".
