//! What authenticates us to Cloudflare: redacted, trimmed, wiped when dropped.
//!
//! This module is the only place that exposes a secret's text.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use zeroize::Zeroizing;

/// A secret text without white space at its ends, fit for an HTTP header.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes the bytes of a Secret's key or of a file.
    ///
    /// A final newline is what `echo` leaves and is dropped. Anything that Cloudflare could only refuse
    /// with 6003 "Invalid request headers" is refused here, where the text can say what to do.
    pub fn parse(bytes: &[u8]) -> Result<Self, SecretError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SecretError::Character)?.trim();
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.len() > MAX_SECRET {
            return Err(SecretError::TooLong);
        }
        if text.starts_with(['"', '\'']) {
            return Err(SecretError::Quoted);
        }
        if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
            return Err(SecretError::Bearer);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SecretError::Character);
        }
        Ok(Self(Arc::new(Zeroizing::new(text.to_owned()))))
    }

    /// The text, for the one header that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What authenticates a call to Cloudflare.
#[derive(Clone, Debug)]
pub enum Credential {
    /// An API token, of a user or of an account (`Authorization: Bearer`).
    Token(Secret),
    /// The Global API Key of a user (`X-Auth-Email`, `X-Auth-Key`).
    Key {
        /// The user's address.
        email: String,
        /// The key.
        key: Secret,
    },
}

impl Credential {
    /// Names this credential in caches and maps, so that none of them holds its text and nothing that was
    /// learned with one credential is ever used with another.
    pub fn id(&self) -> CredentialId {
        let mut context = aws_lc_rs::hmac::Context::with_key(&ID_KEY);
        match self {
            Self::Token(token) => {
                context.update(b"token\0");
                context.update(token.expose().as_bytes());
            }
            Self::Key { email, key } => {
                context.update(b"key\0");
                context.update(email.as_bytes());
                context.update(b"\0");
                context.update(key.expose().as_bytes());
            }
        }
        let mut id = [0; 16];
        id.copy_from_slice(&context.sign().as_ref()[..16]);
        CredentialId(id)
    }
}

/// A name for a [`Credential`], of use within this process only: a keyed digest, the key made at start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialId([u8; 16]);

impl Hash for CredentialId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text can't be a token or key. The texts never repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// `Bearer ` belongs to the header and is added there.
    #[error("it starts with \"Bearer \"; store the token alone")]
    Bearer,
    /// White space inside, a control character, or not ASCII.
    #[error("it has white space, a line break or another character inside that no token has")]
    Character,
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Quotes around it, as a YAML or shell quoting error leaves them.
    #[error("it starts with a quotation mark; store the token alone")]
    Quoted,
    /// More than 1,024 bytes.
    #[error("it is longer than 1024 bytes")]
    TooLong,
}

/// Tokens have 40 to 60 characters today
/// (<https://developers.cloudflare.com/fundamentals/api/get-started/token-formats/>); their form is not checked further.
const MAX_SECRET: usize = 1024;

static ID_KEY: LazyLock<aws_lc_rs::hmac::Key> = LazyLock::new(|| {
    let mut seed = [0; 32];
    // A failing random source would make ids guessable, not wrong; there is no secret in an id.
    let _ = aws_lc_rs::rand::fill(&mut seed);
    aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &seed)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_trimmed_and_the_inside_is_not() {
        assert_eq!(Secret::parse(b" abc123\r\n").unwrap().expose(), "abc123");
        let cases: [(&[u8], SecretError); 6] = [
            (b"\n", SecretError::Empty),
            (b"abc\ndef", SecretError::Character),
            (b"abc def", SecretError::Character),
            (b"\"abc\"", SecretError::Quoted),
            (b"Bearer abc", SecretError::Bearer),
            (b"\xff", SecretError::Character),
        ];
        for (bytes, reason) in cases {
            assert_eq!(Secret::parse(bytes).unwrap_err(), reason);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let key = Credential::Key { email: "a@b.example".into(), key: Secret::parse(b"hunter2").unwrap() };
        assert!(!format!("{key:?}").contains("hunter2"));
    }

    #[test]
    fn ids_tell_credentials_apart() {
        let token = |text: &[u8]| Credential::Token(Secret::parse(text).unwrap());
        assert_eq!(token(b"a").id(), token(b"a\n").id());
        assert_ne!(token(b"a").id(), token(b"b").id());
        let key = Credential::Key { email: String::new(), key: Secret::parse(b"a").unwrap() };
        assert_ne!(token(b"a").id(), key.id());
    }
}
