//! The log of a running program: a file that both of its outputs go to.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};

/// Where a program's output goes.
#[derive(Debug)]
pub(crate) struct Log(PathBuf);

impl Log {
    /// An empty one, and the two ends for the program.
    pub(crate) fn create(path: PathBuf) -> Result<(Self, [Stdio; 2])> {
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let ends = [file.try_clone()?.into(), file.into()];
        Ok((Self(path), ends))
    }

    /// All that was said so far.
    pub(crate) fn text(&self) -> String {
        fs::read(&self.0).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}
