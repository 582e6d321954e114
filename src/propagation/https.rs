//! The seam for questions to resolvers over HTTPS, the only ones that are ever asked for the challenge's name.

use std::future::Future;
use std::time::Duration;

use crate::name::Fqdn;

/// Puts a question to the resolvers of one operator.
pub trait Https: Send + Sync + 'static {
    /// Who runs them, for the log; the place of an operator is its number. Different operators share no cache.
    fn operators(&self) -> &[String];

    /// Asks this operator for the TXT records at `name`. Bounded in time.
    fn ask(&self, operator: usize, name: &Fqdn) -> impl Future<Output = Result<Told, HttpsError>> + Send;
}

/// What a resolver told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The TXT records at exactly the name, each with its strings joined; none if there is no such name either.
    pub values: Vec<String>,
    /// How long it may go on to tell this.
    pub ttl: Duration,
}

/// Why nothing was told. None of these is a "no".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpsError {
    /// There is nobody to trust.
    #[error("the system's CA certificates can't be loaded: {0}")]
    Roots(String),
    /// The operator did not answer, or only with an error.
    #[error("{0}")]
    Failed(String),
}
