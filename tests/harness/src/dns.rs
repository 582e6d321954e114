//! One question by UDP, as `dig` asks it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// As `NOERROR` or `NXDOMAIN`.
    pub code: String,
    /// Whether the server speaks for the zone.
    pub authoritative: bool,
    /// TXT values.
    pub values: Vec<String>,
}

/// Asks `server` for the TXT records at `name`; `recurse` as a resolver wants to be asked.
pub async fn ask(server: SocketAddr, name: &str, recurse: bool) -> Result<Served> {
    let mut question = Message::new(QUESTION_ID, MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = recurse;
    question.add_query(Query::query(Name::from_utf8(format!("{name}."))?, RecordType::TXT));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(server).await?;
    socket.send(&question.to_vec()?).await?;
    let mut buffer = [0; 4096];
    let length = timeout(LIMIT, socket.recv(&mut buffer))
        .await
        .with_context(|| format!("{server} does not answer"))??;
    let answer = Message::from_vec(&buffer[..length])?;
    ensure!(answer.metadata.id == QUESTION_ID, "{server} answers something else");
    let values = answer.answers.iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
        _ => None,
    });
    Ok(Served {
        code: format!("{:?}", answer.metadata.response_code).to_uppercase(),
        authoritative: answer.metadata.authoritative,
        values: values.collect(),
    })
}

const QUESTION_ID: u16 = 0x2a2a;
const LIMIT: Duration = Duration::from_secs(5);
