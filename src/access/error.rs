//! Why nobody could be recognized, or nothing decided. All of it is for the log; callers see only the status.

use std::error::Error;
use std::fmt;

/// A review that the Kubernetes API server did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the Kubernetes API server could not be asked for a {review}")]
pub struct AccessError {
    review: &'static str,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl AccessError {
    /// A failed review, by the name of its kind.
    pub fn new(review: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { review, source: source.into() }
    }
}

/// A credential that was presented and does not hold.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The certificate's chain leads to no authority of the cluster, or is not valid now.
    #[error("the client certificate is not trusted")]
    Chain(#[source] webpki::Error),
    /// The certificate's subject can't be read.
    #[error("the subject of the client certificate can't be read")]
    Subject,
    /// The front proxy's authority signed it, but for somebody else.
    #[error("the client certificate's common name is not one of the front proxy")]
    Name,
    /// The token is nobody's.
    #[error("the bearer token is invalid")]
    Token,
    /// The token could not be reviewed.
    #[error("the bearer token could not be reviewed")]
    Review(#[source] AccessError),
}

/// Nobody was recognized, and at least one credential was refused.
#[derive(Debug)]
pub struct Unauthenticated(pub Vec<CredentialError>);

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            write!(f, "{error}")?;
            let mut source = error.source();
            while let Some(cause) = source {
                write!(f, ": {cause}")?;
                source = cause.source();
            }
        }
        Ok(())
    }
}

impl Error for Unauthenticated {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_credential_s_error_is_told() {
        let refused = Unauthenticated(vec![CredentialError::Name, CredentialError::Token]);
        assert_eq!(
            refused.to_string(),
            "the client certificate's common name is not one of the front proxy; the bearer token is invalid"
        );
    }
}
