//! DNS messages: the question as it is sent, and what of a reply is believed.

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{DNSClass, Name, RData, RecordType};

use super::exchange::{Answer, Rcode};
use crate::name::Fqdn;

/// A question for the TXT records at a name, with a random id of its own.
#[derive(Debug)]
pub struct Question {
    id: u16,
    name: Name,
    bytes: Vec<u8>,
}

/// A reply to a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// All of it.
    Whole(Answer),
    /// The rest did not fit; to be asked again over TCP
    /// ([RFC 7766 §5](https://www.rfc-editor.org/rfc/rfc7766#section-5)).
    Truncated,
}

impl Question {
    /// The question for `name`; `None` if it does not fit a message, which no [`Fqdn`] brings about.
    pub fn txt(name: &Fqdn) -> Option<Self> {
        let labels = name.as_str().split('.').map(str::as_bytes);
        let mut name = Name::from_labels(labels).ok()?;
        name.set_fqdn(true);
        // A random id: with the random port of the socket, what a forger has to guess
        // (https://www.rfc-editor.org/rfc/rfc5452#section-9.2).
        let mut message = Message::query();
        // No recursion: an authority has it or has it not, and a resolver gives itself away.
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(name.clone(), RecordType::TXT));
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_PAYLOAD);
        message.set_edns(edns);
        Some(Self { id: message.metadata.id, name, bytes: message.to_vec().ok()? })
    }

    /// The message.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads a reply; `None` if it is no reply to this question. Its name may come back in another case
    /// ([RFC 4343](https://www.rfc-editor.org/rfc/rfc4343)).
    pub fn read(&self, bytes: &[u8]) -> Option<Reply> {
        let message = Message::from_vec(bytes).ok()?;
        let meta = message.metadata;
        if meta.id != self.id || meta.message_type != MessageType::Response || meta.op_code != OpCode::Query {
            return None;
        }
        let [query] = message.queries.as_slice() else {
            return None;
        };
        // `==` on names ignores case.
        if query.name != self.name || query.query_type != RecordType::TXT || query.query_class != DNSClass::IN
        {
            return None;
        }
        if meta.truncation {
            return Some(Reply::Truncated);
        }
        Some(Reply::Whole(self.answer(&message)))
    }

    /// Only records at exactly the name count: those behind a CNAME are another name's.
    fn answer(&self, message: &Message) -> Answer {
        let mut answer = Answer {
            authoritative: message.metadata.authoritative,
            recursion_available: message.metadata.recursion_available,
            rcode: rcode(message.metadata.response_code),
            ..Answer::default()
        };
        let own = message.answers.iter().filter(|r| r.name == self.name);
        for record in own.filter(|r| r.dns_class == DNSClass::IN) {
            match &record.data {
                RData::TXT(txt) => answer.values.push(joined(txt)),
                RData::CNAME(target) => {
                    answer.cname = Some(target.0.to_ascii().to_ascii_lowercase());
                }
                _ => {}
            }
        }
        if message.answers.is_empty() {
            let mut authorities = message.authorities.iter();
            answer.referral = authorities
                .find(|record| record.record_type() == RecordType::NS)
                .and_then(|record| Fqdn::parse(&record.name.to_ascii()).ok());
        }
        answer
    }
}

/// The strings of a TXT record are one text
/// ([RFC 8555 §8.4](https://www.rfc-editor.org/rfc/rfc8555#section-8.4) means it so, and Let's Encrypt reads it so).
fn joined(txt: &TXT) -> String {
    String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()
}

fn rcode(code: ResponseCode) -> Rcode {
    match code {
        ResponseCode::NoError => Rcode::NoError,
        ResponseCode::NXDomain => Rcode::NxDomain,
        ResponseCode::Refused => Rcode::Refused,
        other => Rcode::Other(other.into()),
    }
}

/// What passes everywhere without fragments (<https://www.dnsflagday.net/2020/>).
const MAX_PAYLOAD: u16 = 1232;

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Record;
    use hickory_resolver::proto::rr::rdata::{CNAME, NS};

    use super::*;

    #[test]
    fn the_question_wants_no_recursion_and_says_how_much_fits() {
        let message = Message::from_vec(question().bytes()).unwrap();
        assert!(!message.metadata.recursion_desired);
        assert_eq!(message.max_payload(), 1232);
        assert_eq!(message.queries[0].name.to_ascii(), format!("{NAME}."));
        let ids: std::collections::HashSet<u16> = (0..8).map(|_| question().id).collect();
        assert!(ids.len() > 1, "ids are random");
    }

    #[test]
    fn strings_are_joined_and_records_of_other_names_do_not_count() {
        let question = question();
        let mut reply = reply(&question);
        let txt = |name: &str, strings: &[&str]| {
            let strings = strings.iter().map(|s| (*s).to_owned()).collect();
            Record::from_rdata(name_of(name), 60, RData::TXT(TXT::new(strings)))
        };
        reply.add_answer(txt(NAME, &["abc", "def"]));
        reply.add_answer(txt("_acme-challenge.example.org", &["foreign"]));
        let Some(Reply::Whole(answer)) = question.read(&reply.to_vec().unwrap()) else {
            panic!("no answer");
        };
        assert_eq!(answer.values, ["abcdef"]);
        assert!(answer.authoritative && !answer.recursion_available);
    }

    #[test]
    fn a_cname_and_a_referral_are_told() {
        let question = question();
        let mut alias = reply(&question);
        let target = RData::CNAME(CNAME(name_of("Else.example.net")));
        alias.add_answer(Record::from_rdata(name_of(NAME), 60, target));
        let Some(Reply::Whole(answer)) = question.read(&alias.to_vec().unwrap()) else {
            panic!("no answer");
        };
        assert_eq!(answer.cname.as_deref(), Some("else.example.net."));

        let mut referral = reply(&question);
        let ns = RData::NS(NS(name_of("ns.example.net")));
        referral.add_authority(Record::from_rdata(name_of(NAME), 60, ns));
        let Some(Reply::Whole(answer)) = question.read(&referral.to_vec().unwrap()) else {
            panic!("no answer");
        };
        assert_eq!(answer.referral, Some(Fqdn::parse(NAME).unwrap()));
    }

    #[test]
    fn what_is_no_reply_to_the_question_is_none() {
        let question = question();
        let read = |change: fn(&mut Message)| {
            let mut reply = reply(&question);
            change(&mut reply);
            question.read(&reply.to_vec().unwrap())
        };
        assert!(read(|_| ()).is_some());
        assert!(read(|m| m.metadata.id = m.metadata.id.wrapping_add(1)).is_none());
        assert!(read(|m| m.metadata.message_type = MessageType::Query).is_none());
        assert!(read(|m| m.queries[0].name = name_of("example.org")).is_none());
        assert!(read(|m| m.queries[0].query_type = RecordType::A).is_none());
        assert!(read(|m| m.queries.clear()).is_none());
        assert!(question.read(b"not a message").is_none());
        assert_eq!(read(|m| m.metadata.truncation = true), Some(Reply::Truncated));
        assert!(read(|m| m.queries[0].name = name_of(&NAME.to_uppercase())).is_some());
    }

    fn question() -> Question {
        Question::txt(&Fqdn::parse(NAME).unwrap()).unwrap()
    }

    fn reply(question: &Question) -> Message {
        let mut message = Message::response(question.id, OpCode::Query);
        message.metadata.authoritative = true;
        message.add_query(Query::query(question.name.clone(), RecordType::TXT));
        message
    }

    fn name_of(text: &str) -> Name {
        Name::from_ascii(format!("{text}.")).unwrap()
    }

    const NAME: &str = "_acme-challenge.example.com";
}
