//! Replies of name servers: what is no reply to the question is none, and what is one says no more than its bytes do.
#![no_main]

use std::sync::LazyLock;

use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::propagation::wire::{Question, Reply};
use libfuzzer_sys::fuzz_target;

static QUESTION: LazyLock<Question> = LazyLock::new(|| {
    Question::txt(&Fqdn::parse("_acme-challenge.example.com").unwrap()).expect("a question")
});

fuzz_target!(|data: &[u8]| {
    // Its id is random: a seed can't have it.
    let mut reply = data.to_vec();
    let id = &QUESTION.bytes()[..2];
    if reply.len() >= 2 {
        reply[..2].copy_from_slice(id);
    }
    let read = QUESTION.read(&reply);
    assert_eq!(QUESTION.read(&reply), read);
    if let Some(Reply::Whole(answer)) = &read {
        let said: usize = answer.values.iter().map(String::len).sum();
        // A byte that is no UTF-8 is replaced by three.
        assert!(said <= 3 * reply.len(), "{answer:?}");
        let is_name = |name: &str| name.len() <= 4 * 255 && name.is_ascii();
        assert!(answer.cname.as_deref().is_none_or(is_name), "{answer:?}");
    }
    if read.is_some() {
        reply[0] ^= 1;
        assert_eq!(QUESTION.read(&reply), None, "the reply to another question");
    }
});
