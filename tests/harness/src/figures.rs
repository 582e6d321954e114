//! Figures of a measurement: times, sizes, and the file that holds them raw.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// Milliseconds, with three places.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Millis(pub f64);

impl From<Duration> for Millis {
    fn from(time: Duration) -> Self {
        Self((time.as_secs_f64() * 1e6).round() / 1e3)
    }
}

impl Millis {
    /// The value below which `percent` of them are.
    pub fn at(values: &[Self], percent: usize) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
        sorted.get(rank).copied().unwrap_or(Self(f64::NAN))
    }

    /// As seconds, with two places.
    pub fn seconds(self) -> String {
        format!("{:.2} s", self.0 / 1e3)
    }
}

/// Bytes, as mebibytes.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", as_f64(bytes) / f64::from(1 << 20))
}

/// A count, to divide by.
#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Writes raw figures as one line of JSON.
pub fn write(path: &Path, figures: &impl Serialize) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let text = format!("{}\n", serde_json::to_string(figures)?);
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
