//! The attacks, each by many peers at once.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::{join_all, try_join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use harness::attack::{BodyKind, Fate, Flood, HeadKind, Target};
use tokio::time::{sleep, timeout};

/// The token of somebody who may post a body.
pub(crate) const TOKEN: &str = "token-of-cert-manager-0123456789";

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attack {
    Idle,
    Slow,
    Bodies,
    Heads,
    Resets,
    Floods,
    Questions,
    Deaf,
}

impl Attack {
    pub(crate) const ALL: [Self; 8] = [
        Self::Idle,
        Self::Slow,
        Self::Bodies,
        Self::Heads,
        Self::Resets,
        Self::Floods,
        Self::Questions,
        Self::Deaf,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle connections",
            Self::Slow => "slowloris",
            Self::Bodies => "bodies of 100 MiB",
            Self::Heads => "heads of 1 to 16 MiB",
            Self::Resets => "rapid resets",
            Self::Floods => "floods of frames",
            Self::Questions => "requests that need a review",
            Self::Deaf => "peers that never read",
        }
    }

    /// Plays it, and says at what size.
    pub(crate) async fn play(self, target: &Target) -> Result<String> {
        match self {
            Self::Idle => idle(target).await,
            Self::Slow => slow(target).await,
            Self::Bodies => bodies(target).await,
            Self::Heads => heads(target).await,
            Self::Resets => resets(target).await,
            Self::Floods => floods(target).await,
            Self::Questions => questions(target).await,
            Self::Deaf => deaf(target).await,
        }
    }
}

/// Ten thousand, of which most have said nothing, some have shaken hands, and some speak HTTP/2.
async fn idle(target: &Target) -> Result<String> {
    let http1 = stream::iter(0..1500).map(|_| target.http1()).buffer_unordered(ABREAST);
    let http1: Vec<_> = http1.try_collect().await?;
    let http2 = stream::iter(0..1500).map(|_| target.idle_http2()).buffer_unordered(ABREAST);
    let http2: Vec<_> = http2.try_collect().await?;
    let silent = stream::iter(0..7000).map(|_| target.silent()).buffer_unordered(ABREAST);
    let silent: Vec<_> = silent.try_collect().await?;
    sleep(Duration::from_secs(2)).await;
    Ok((silent.len() + http1.len() + http2.len()).to_string())
}

/// In the handshake, in the head, in the body.
async fn slow(target: &Target) -> Result<String> {
    let every = Duration::from_millis(100);
    let peers = (0..334).map(|_| async {
        let _ = tokio::join!(
            target.slow_handshake(every),
            target.slow_head(every),
            target.slow_body(CHALLENGES, TOKEN, every),
        );
    });
    // It is not over by then; the connections are dropped.
    let _ = timeout(Duration::from_secs(8), join_all(peers)).await;
    Ok("1,002".to_owned())
}

async fn bodies(target: &Target) -> Result<String> {
    let peers = [BodyKind::Declared, BodyKind::Chunked]
        .map(|kind| try_join_all((0..10).map(move |_| target.large_body(kind, CHALLENGES, TOKEN, 100))));
    let fates: Vec<Fate> = limited(try_join_all(peers)).await?.into_iter().flatten().collect();
    let taken: usize = fates.iter().map(|fate| fate.taken).sum();
    ensure!(fates.iter().all(|fate| fate.status() == Some(413)), "not all of them were refused");
    Ok(format!("{}, {taken} MiB of them taken", fates.len()))
}

async fn heads(target: &Target) -> Result<String> {
    let peers = (0..100).map(|_| async {
        let (many, huge, bomb) = tokio::join!(
            target.large_head(HeadKind::Many),
            target.large_head(HeadKind::Huge),
            target.compressed_bomb(4000),
        );
        ensure!(many?.status() == Some(431) && huge?.status() == Some(431), "a head of 1 MiB was taken");
        ensure!(bomb?.go_away() == ENHANCE_YOUR_CALM, "a head of 16 MiB was taken");
        Ok(())
    });
    limited(try_join_all(peers)).await?;
    Ok("300".to_owned())
}

async fn resets(target: &Target) -> Result<String> {
    let peers = (0..100).map(|_| target.rapid_reset(DISCOVERY, 1000));
    let fates = limited(try_join_all(peers)).await?;
    ensure!(fates.iter().all(|fate| fate.go_away() == ENHANCE_YOUR_CALM), "a connection was kept");
    Ok("100,000".to_owned())
}

async fn floods(target: &Target) -> Result<String> {
    let kinds = [Flood::Continuation, Flood::Data]
        .map(|flood| try_join_all((0..20).map(move |_| target.flood(flood, 30_000))));
    let fates = limited(try_join_all(kinds)).await?;
    ensure!(fates.iter().flatten().all(|fate| fate.go_away() == ENHANCE_YOUR_CALM), "a connection was kept");
    Ok("1,200,000".to_owned())
}

/// Each has to wait until kube-apiserver has been asked; the connection ends with the first that has been answered, once
/// the others have been.
async fn questions(target: &Target) -> Result<String> {
    let peers = (0..100).map(|number| async move { target.new_paths(&format!("/{number}"), 100).await });
    let fates = limited(try_join_all(peers)).await?;
    let answers: usize = fates.iter().map(Fate::answers).sum();
    ensure!(answers == 10_000, "{answers} of 10,000 were answered");
    Ok("10,000".to_owned())
}

async fn deaf(target: &Target) -> Result<String> {
    let peers = (0..100).map(|_| async {
        let _ = tokio::join!(
            target.never_reads(DISCOVERY),
            target.deaf_flood(Flood::Ping),
            target.deaf_flood(Flood::Settings),
            target.closed_window(DISCOVERY, 250),
        );
    });
    let _ = timeout(Duration::from_secs(8), join_all(peers)).await;
    Ok("400".to_owned())
}

async fn limited<T>(attack: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(Duration::from_secs(30), attack).await.context("the program does not end it")?
}

/// RFC 9113 §7.
const ENHANCE_YOUR_CALM: Option<u32> = Some(11);
/// Connections that are being made at a time.
const ABREAST: usize = 200;
const CHALLENGES: &str = "/apis/cloudflare.dns01.webhook/v1alpha1/cloudflare";
const DISCOVERY: &str = "/apis/cloudflare.dns01.webhook/v1alpha1";
