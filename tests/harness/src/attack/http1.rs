//! Attacks by HTTP/1.1.

use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncWriteExt, split};

use super::{Fate, Target, send, trickle};

/// How the size of a body is told.
#[derive(Debug, Clone, Copy)]
pub enum BodyKind {
    /// `Content-Length`.
    Declared,
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// What is too large in a head.
#[derive(Debug, Clone, Copy)]
pub enum HeadKind {
    /// The number of its fields.
    Many,
    /// One of its fields.
    Huge,
}

impl Target {
    /// Sends a head byte by byte, without an end.
    pub async fn slow_head(&self, every: Duration) -> Result<Fate> {
        let mut stream = self.http1().await?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: ").await?;
        let (read, write) = split(stream);
        Ok(trickle(read, write, b"x", every).await)
    }

    /// Sends a body byte by byte, to `path` and as the owner of `token`, without an end.
    pub async fn slow_body(&self, path: &str, token: &str, every: Duration) -> Result<Fate> {
        let mut stream = self.http1().await?;
        stream.write_all(post(path, token, "content-length: 100000").as_bytes()).await?;
        let (read, write) = split(stream);
        Ok(trickle(read, write, b" ", every).await)
    }

    /// Asks for `path` again and again, and never reads an answer.
    pub async fn never_reads(&self, path: &str) -> Result<usize> {
        let mut stream = self.http1().await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let mut asked = 0;
        while stream.write_all(request.as_bytes()).await.is_ok() {
            asked += 1;
        }
        Ok(asked)
    }

    /// Sends a body of so many mebibytes; [`Fate::taken`] counts those that went.
    pub async fn large_body(
        &self,
        kind: BodyKind,
        path: &str,
        token: &str,
        mebibytes: usize,
    ) -> Result<Fate> {
        const MEBIBYTE: usize = 1 << 20;
        let (length, chunk) = match kind {
            BodyKind::Declared => (format!("content-length: {}", mebibytes * MEBIBYTE), vec![b' '; MEBIBYTE]),
            BodyKind::Chunked => {
                let chunk = [b"100000\r\n", &vec![b' '; MEBIBYTE][..], b"\r\n"].concat();
                ("transfer-encoding: chunked".to_owned(), chunk)
            }
        };
        let mut stream = self.http1().await?;
        stream.write_all(post(path, token, &length).as_bytes()).await?;
        Ok(send(stream, std::iter::repeat_n(chunk, mebibytes)).await)
    }

    /// Sends a head of a mebibyte.
    pub async fn large_head(&self, kind: HeadKind) -> Result<Fate> {
        let field = match kind {
            HeadKind::Many => "a: b\r\n".repeat(175_000),
            HeadKind::Huge => format!("a: {}\r\n", "b".repeat(1 << 20)),
        };
        let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{field}\r\n").into_bytes();
        let chunks: Vec<_> = head.chunks(4096).map(<[u8]>::to_vec).collect();
        Ok(send(self.http1().await?, chunks.into_iter()).await)
    }
}

fn post(path: &str, token: &str, length: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{length}\r\n\r\n")
}
