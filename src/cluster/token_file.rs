//! The operator's own token: a file, read again and again so that its rotation needs no restart.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::deadline::Deadline;
use crate::secret::Secret;
use crate::solver::error::{Cause, Error};
use crate::solver::port::Freshness;

/// `--api-token-file`, and what it said a moment ago.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    last: Mutex<Option<(Secret, Instant)>>,
}

impl TokenFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, last: Mutex::default() }
    }

    /// The token, read at most `ttl` ago, or now.
    pub(super) async fn load(
        &self,
        freshness: Freshness,
        ttl: Duration,
        deadline: Deadline,
    ) -> Result<Secret, Error> {
        if freshness == Freshness::Shared
            && let Some(token) = self.remembered(ttl)
        {
            return Ok(token);
        }
        let path = self.path.clone();
        // The file may lie on a mount that hangs: not on a thread that serves requests.
        let bytes = deadline
            .run(tokio::task::spawn_blocking(move || read(&path)))
            .await
            .map_err(|_| Error::new(Cause::OutOfTime, "--api-token-file could not be read in time"))?
            .map_err(unavailable)?
            .map_err(unavailable)?;
        let token = Secret::parse(&bytes).map_err(unavailable)?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), Instant::now()));
        Ok(token)
    }

    fn remembered(&self, ttl: Duration) -> Option<Secret> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = last.as_ref().filter(|(_, read)| read.elapsed() < ttl);
        fresh.map(|(token, _)| token.clone())
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE));
    std::fs::File::open(path)?.take(MAX_FILE as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unavailable(why: impl std::fmt::Display) -> Error {
    Error::new(Cause::AmbientUnavailable, format!("--api-token-file: {why}"))
}

/// More than any token and the white space around it; a file that is longer holds none.
const MAX_FILE: usize = 4096;
