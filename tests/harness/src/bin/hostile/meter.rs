//! The memory of the program, looked at all the time.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

/// The most that was resident while it ran.
pub(crate) struct Meter {
    peak: Arc<AtomicU64>,
    stop: Arc<AtomicU64>,
    looking: JoinHandle<Result<()>>,
}

impl Meter {
    pub(crate) fn start(process: i32) -> Self {
        let (peak, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (highest, stopped) = (Arc::clone(&peak), Arc::clone(&stop));
        // On a thread of its own: this process is as busy as the other one.
        let looking = spawn_blocking(move || {
            while stopped.load(Ordering::Relaxed) == 0 {
                highest.fetch_max(resident(process)?, Ordering::Relaxed);
                std::thread::sleep(STEP);
            }
            Ok(())
        });
        Self { peak, stop, looking }
    }

    /// Stops, and says how much it was, in bytes.
    pub(crate) async fn peak(self) -> Result<u64> {
        self.stop.store(1, Ordering::Relaxed);
        self.looking.await??;
        Ok(self.peak.load(Ordering::Relaxed))
    }
}

/// Nothing happens.
pub(crate) async fn moment() {
    sleep(Duration::from_secs(2)).await;
}

fn resident(process: i32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().strip_suffix(" kB").context("VmRSS")?.parse::<u64>()? * 1024)
}

const STEP: Duration = Duration::from_millis(10);
