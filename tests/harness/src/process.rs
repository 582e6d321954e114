//! The real binary as a process: started, watched, signalled, measured.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::log::Log;

/// A running program; killed when it is dropped.
#[derive(Debug)]
pub struct Webhook {
    child: Child,
    pid: Pid,
    log: Log,
    /// Where it serves HTTPS.
    pub address: SocketAddr,
    /// Where it serves `/readyz` and `/metrics`.
    pub admin: SocketAddr,
    started: Instant,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Memory that is resident now, in bytes.
    pub resident: u64,
    /// The most that was resident at any time, in bytes.
    pub peak: u64,
    /// Processor time, in user and kernel mode.
    pub processor: Duration,
}

impl Webhook {
    /// Starts a program on an address of its own. Its environment is this and no more: each setting has an
    /// environment twin, and a proxy has no place here.
    pub(crate) fn spawn(
        binary: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
        addresses: [SocketAddr; 2],
        log: &Path,
    ) -> Result<Self> {
        let [address, admin] = addresses;
        let (log, [out, err]) = Log::create(log.to_owned())?;
        let started = Instant::now();
        let child = Command::new(binary)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.context("the program ended at once")?;
        Ok(Self { child, pid, log, address, admin, started })
    }

    /// Waits until `/readyz` says so, and says how long that took since the start.
    pub async fn ready(&mut self) -> Result<Duration> {
        let admin = self.admin;
        self.ready_by(async || health(admin, "readyz").await == Some(200)).await
    }

    /// The same for a program without an admin port.
    pub(crate) async fn ready_by(&mut self, is_ready: impl AsyncFn() -> bool) -> Result<Duration> {
        while self.started.elapsed() < READY_LIMIT {
            if is_ready().await {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the program ended with {status} before it was ready; it said:\n{}", self.log());
            }
            sleep(READY_STEP).await;
        }
        bail!("the program was not ready within {READY_LIMIT:?}; it said:\n{}", self.log());
    }

    /// The status of a page of the admin port; none when nobody listens.
    pub async fn health(&self, page: &str) -> Option<u16> {
        health(self.admin, page).await
    }

    /// The sum of a counter's samples on the metrics page, whatever their labels.
    pub async fn counter(&self, name: &str) -> Result<u64> {
        let page = http_get(self.admin, "metrics").await?;
        let samples = page.lines().filter_map(|line| line.strip_prefix(name));
        let values =
            samples.filter(|rest| rest.starts_with(['{', ' '])).filter_map(|rest| rest.rsplit_once(' '));
        Ok(values.map(|(_, value)| value.parse::<u64>()).sum::<Result<_, _>>()?)
    }

    /// All samples without labels on the metrics page, by name.
    pub async fn gauges(&self) -> Result<BTreeMap<String, f64>> {
        let page = http_get(self.admin, "metrics").await?;
        let samples =
            page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
        Ok(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// SIGTERM: what is in flight may finish.
    pub fn terminate(&self) -> Result<()> {
        kill_process(self.pid, Signal::TERM).context("cannot send SIGTERM")
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill the program")
    }

    /// Waits until it has ended by itself.
    pub async fn exit(&mut self, limit: Duration) -> Result<ExitStatus> {
        match timeout(limit, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("the program has not ended within {limit:?}; it said:\n{}", self.log()),
        }
    }

    /// All that it said.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Where its log is.
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// What it has used so far (<https://man7.org/linux/man-pages/man5/proc.5.html>).
    pub fn usage(&self) -> Result<Usage> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let bytes = |field| {
            let text = status.lines().find_map(|line| line.strip_prefix(field)).context(field)?;
            anyhow::Ok(text.trim().strip_suffix(" kB").context(field)?.parse::<u64>()? * 1024)
        };
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // After the name in parentheses: state, then ten fields, then utime and stime.
        let after = stat.rsplit_once(") ").context("stat")?.1;
        let times = after.split(' ').skip(11).take(2).map(str::parse::<u32>);
        let ticks: u32 = times.sum::<Result<_, _>>()?;
        let per_second = u32::try_from(rustix::param::clock_ticks_per_second())?;
        Ok(Usage {
            resident: bytes("VmRSS:")?,
            peak: bytes("VmHWM:")?,
            processor: Duration::from_secs(1) * ticks / per_second,
        })
    }
}

/// Two free ports, of HTTPS and of the admin interface, on a loopback address that nobody else uses: between the
/// look and the start, no other socket takes them.
pub(crate) fn free_addresses() -> Result<[SocketAddr; 2]> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let [.., run] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let ip = IpAddr::V4(Ipv4Addr::new(127, 64 + (run & 0x3f), high, low.max(1)));
    let listeners = [TcpListener::bind((ip, 0))?, TcpListener::bind((ip, 0))?];
    Ok([listeners[0].local_addr()?, listeners[1].local_addr()?])
}

async fn health(admin: SocketAddr, page: &str) -> Option<u16> {
    let answer = http_get(admin, page).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// The status line and all that follows, by HTTP/1.0.
async fn http_get(address: SocketAddr, page: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(format!("GET /{page} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

const READY_LIMIT: Duration = Duration::from_secs(20);
const READY_STEP: Duration = Duration::from_millis(1);
