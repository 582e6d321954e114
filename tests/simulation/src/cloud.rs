//! Everything outside of the program, and the way to Cloudflare's API: calls that are lost before or after their effect,
//! delivered twice, slow, cut or answered by somebody else.

use std::sync::Mutex;
use std::time::Duration;

use cert_manager_webhook_cloudflare::cloudflare::{Answer, Call, Exchange, ExchangeError};
use cert_manager_webhook_cloudflare::secret::Credential;
use cloudflare_emulator::{Emulator, Heard};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::sleep;

use crate::bugs::Bug;
use crate::cluster::Cluster;
use crate::dns::Operators;
use crate::judge::Judge;
use crate::plan::Plan;
use crate::process::Wire;
use crate::random::Random;

/// Everything outside of the program.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) emulator: Emulator,
    pub(crate) cluster: Cluster,
    pub(crate) operators: Operators,
    pub(crate) judge: Judge,
    /// What befalls calls and questions; `None` once all is calm.
    trouble: Mutex<Option<Random>>,
}

/// What befalls one call.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Unsent,
    LostBefore,
    LostAfter,
    PageBefore,
    PageAfter,
    Cut,
    Refusal,
    Slow,
    Busy,
    Twice,
}

impl World {
    pub(crate) fn new(plan: Plan, emulator: Emulator, cluster: Cluster, judge: Judge) -> Self {
        let trouble = Mutex::new(Some(Random::new(!plan.seed)));
        let operators = Operators::new(plan.seed);
        Self { plan, emulator, cluster, operators, judge, trouble }
    }

    /// From now on nothing comes to grief.
    pub(crate) fn calm(&self) {
        *self.trouble.lock().unwrap() = None;
    }

    /// Whether it is one of so many in a hundred that come to grief, and a number to choose by.
    pub(crate) fn befalls(&self, percent: u64) -> Option<Random> {
        let mut trouble = self.trouble.lock().unwrap();
        let random = trouble.as_mut()?;
        (percent > 0 && random.percent(percent)).then(|| random.fork())
    }

    fn fault(&self, call: &Call) -> Option<Fault> {
        let mut random = self.befalls(self.plan.bad_calls)?;
        let all = [
            Fault::Unsent,
            Fault::LostBefore,
            Fault::LostAfter,
            Fault::LostAfter,
            Fault::PageBefore,
            Fault::PageAfter,
            Fault::Cut,
            Fault::Slow,
            Fault::Busy,
            Fault::Twice,
        ];
        // What nobody knows the meaning of is no reason to give up a record, where it is about a write.
        let is_write = call.method == Method::POST;
        Some(if is_write && random.percent(15) { Fault::Refusal } else { *random.pick(&all) })
    }
}

impl Wire {
    async fn carry(&self, credential: &Credential, call: &Call) -> Result<Answer, ExchangeError> {
        let mut headers = HeaderMap::new();
        let Credential::Token(token) = credential else { panic!("only tokens here") };
        headers.insert("authorization", format!("Bearer {}", token.expose()).parse().unwrap());
        let body = call.body.clone().unwrap_or_default();
        let at = self.world.judge.called(call);
        tracing::debug!(?at, method = %call.method, path = call.path, body = ?call.body.as_deref().map(String::from_utf8_lossy), "call");
        let heard = self.world.emulator.call(&call.method, &call.path, headers, body).await;
        self.world.judge.look(&self.world);
        match heard {
            Heard::Answer(answer) => {
                let (parts, body) = answer.into_parts();
                Ok(Answer { status: parts.status, headers: parts.headers, body })
            }
            Heard::Cut(_) | Heard::Reset => Err(lost()),
        }
    }

    async fn carry_or_not(&self, credential: &Credential, call: &Call) -> Result<Answer, ExchangeError> {
        let made = self.carry(credential, call);
        match self.world.fault(call) {
            None => made.await,
            Some(Fault::Unsent) => Err(ExchangeError::Unsent("refused".to_owned())),
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => {
                made.await?;
                Err(lost())
            }
            Some(Fault::PageBefore) => Ok(page(520)),
            Some(Fault::PageAfter) => {
                made.await?;
                Ok(page(200))
            }
            Some(Fault::Cut) => {
                let mut answer = made.await?;
                answer.body.truncate(answer.body.len() / 2);
                Ok(answer)
            }
            Some(Fault::Refusal) => Ok(refusal()),
            Some(Fault::Slow) => {
                let answer = made.await;
                sleep(Duration::from_secs(20)).await;
                answer
            }
            Some(Fault::Busy) => Ok(busy()),
            Some(Fault::Twice) => {
                made.await?;
                self.carry(credential, call).await
            }
        }
    }
}

impl Exchange for Wire {
    async fn send(&self, credential: &Credential, call: &Call) -> Result<Answer, ExchangeError> {
        self.life.reach().await;
        let sent = async {
            if self.bug == Some(Bug::RepeatsCalls) {
                for _ in 0..2 {
                    let _ = self.carry(credential, call).await;
                }
            }
            self.carry_or_not(credential, call).await
        };
        let answer = self.life.alive(sent).await;
        // It may end before it has read the answer, too.
        self.life.reach().await;
        answer
    }
}

fn lost() -> ExchangeError {
    ExchangeError::Lost("reset".to_owned())
}

fn page(status: u16) -> Answer {
    answer(status, "text/html", "<!DOCTYPE html><title>520</title>")
}

fn refusal() -> Answer {
    let body = r#"{"result":null,"success":false,"errors":[{"code":1234,"message":"no"}],"messages":[]}"#;
    answer(200, "application/json", body)
}

fn busy() -> Answer {
    let body =
        r#"{"success":false,"errors":[{"code":971,"message":"Please wait"}],"messages":[],"result":null}"#;
    let mut answer = answer(429, "application/json", body);
    answer.headers.insert("retry-after", HeaderValue::from_static("3"));
    answer
}

fn answer(status: u16, content_type: &'static str, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.as_bytes().to_vec() }
}
