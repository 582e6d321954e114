//! Questions for the challenge's name, to resolvers over HTTPS ([RFC 8484](https://www.rfc-editor.org/rfc/rfc8484)).

use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::pool::{Pool, PoolError};
use super::roots::Roots;
use crate::metrics::Metrics;
use crate::metrics::dns::Via;
use crate::name::Fqdn;
use crate::propagation::https::{Https, HttpsError, Told};
use crate::propagation::operator::Operator;
use crate::propagation::pace::Pace;

/// The resolvers that are asked where the authority can't be, by operator.
#[derive(Debug)]
pub struct HttpsResolvers {
    names: Vec<String>,
    pools: Vec<Pool>,
    pace: Pace<usize>,
    open: Semaphore,
    metrics: Arc<Metrics>,
}

impl HttpsResolvers {
    /// Sends and loads nothing.
    pub(in crate::propagation) fn new(
        operators: Vec<Operator>,
        roots: &Arc<Roots>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (names, pools) = operators
            .into_iter()
            .map(|operator| (operator.name, Pool::new(operator.servers, Arc::clone(roots))))
            .unzip();
        Self { names, pools, pace: Pace::new(EVERY, BURST), open: Semaphore::new(MAX_OPEN), metrics }
    }
}

impl Https for HttpsResolvers {
    fn operators(&self) -> &[String] {
        &self.names
    }

    async fn ask(&self, operator: usize, name: &Fqdn) -> Result<Told, HttpsError> {
        let pool = self.pools.get(operator).ok_or_else(|| failed("there is no such operator"))?;
        // With its final dot, or the system's search list would be tried.
        let own = Name::from_ascii(format!("{name}.")).map_err(failed)?;
        self.pace.turn(operator).await;
        // The semaphore is never closed.
        let _permit = self.open.acquire().await.map_err(failed)?;
        let resolver = pool.get().await.map_err(|error| match error {
            PoolError::Roots(error) => HttpsError::Roots(error.to_string()),
            error => failed(error),
        })?;
        self.metrics.dns.asked(Via::Https);
        match timeout(PATIENCE, resolver.lookup(own.clone(), RecordType::TXT)).await {
            Ok(Ok(answer)) => {
                let records = answer.answers();
                let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(NEGATIVE);
                // Only records at exactly the name count: those behind a CNAME are another name's.
                let own = records.iter().filter(|record| record.name == own);
                let values = own.filter_map(|record| match &record.data {
                    RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
                    _ => None,
                });
                Ok(Told { values: values.collect(), ttl: seconds(ttl) })
            }
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none))))
                if matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
            {
                Ok(Told { values: Vec::new(), ttl: seconds(none.negative_ttl.unwrap_or(NEGATIVE)) })
            }
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(failed("no answer in time")),
        }
    }
}

fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(ttl.into())
}

fn failed(error: impl std::fmt::Display) -> HttpsError {
    HttpsError::Failed(error.to_string())
}

/// For a connection and an answer, and the operator's next address after a failure.
const PATIENCE: Duration = Duration::from_secs(5);
/// One operator is asked at most this often, after a burst: a name needs one question.
const EVERY: Duration = Duration::from_millis(20);
const BURST: u32 = 60;
const MAX_OPEN: usize = 64;
/// Of an answer that does not say how long it lasts: what Cloudflare's zones say
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/#soa>).
const NEGATIVE: u32 = 1800;

#[cfg(test)]
mod tests;
