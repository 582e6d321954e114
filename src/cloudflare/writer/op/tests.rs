use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::challenge::TxtValue;

#[tokio::test]
async fn makings_go_first_and_each_in_the_order_of_arrival() {
    let mut waiting = ops(&["-a", "+b", "-c", "+d", "+e"]);
    assert_eq!(texts(&take(&mut waiting, 4)), ["-a", "+b", "+d", "+e"]);
    assert_eq!(texts(&waiting), ["-c"]);
}

#[tokio::test]
async fn a_delete_waits_for_the_making_before_it() {
    let mut waiting = ops(&["+a", "-a", "+b"]);
    assert_eq!(texts(&take(&mut waiting, 200)), ["+a", "+b"]);
    assert_eq!(texts(&take(&mut waiting, 200)), ["-a"]);
    // And what comes after that delete waits for it.
    let mut waiting = ops(&["+a", "-a", "+a"]);
    assert_eq!(texts(&take(&mut waiting, 200)), ["+a"]);
    assert_eq!(texts(&take(&mut waiting, 200)), ["-a", "+a"]);
}

#[tokio::test]
async fn a_making_takes_the_delete_before_it_along_or_waits() {
    let mut waiting = ops(&["-a", "+a"]);
    assert_eq!(texts(&take(&mut waiting, 200)), ["-a", "+a"]);
    let mut waiting = ops(&["-a", "+a", "+b"]);
    assert_eq!(texts(&take(&mut waiting, 1)), ["-a"]);
    assert_eq!(texts(&take(&mut waiting, 1)), ["+a"]);
    assert_eq!(texts(&take(&mut waiting, 1)), ["+b"]);
}

#[tokio::test]
async fn one_joins_its_like_unless_something_came_between() {
    let mut waiting = ops(&["+a", "-b"]);
    assert!(twin(&mut waiting, &change("+a")).is_some());
    assert!(twin(&mut waiting, &change("-b")).is_some());
    assert!(twin(&mut waiting, &change("+b")).is_none());
    let mut waiting = ops(&["+a", "-a"]);
    assert!(twin(&mut waiting, &change("+a")).is_none());
    assert_eq!(twin(&mut waiting, &change("-a")).unwrap().number, 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_makes_what_nobody_waits_for() {
    let deadline = Deadline::within(Duration::from_secs(9));
    let mut post = Op::new(change("+a"), 0, deadline);
    let first = post.join(deadline);
    let second = post.join(deadline);
    drop(first);
    assert!(post.is_wanted());
    drop(second);
    assert!(!post.is_wanted());
    assert!(Op::new(change("-a"), 0, deadline).is_wanted(), "what has to go goes");

    let mut late = Op::new(change("+a"), 0, deadline);
    let _waits = late.join(deadline);
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(!late.is_wanted());
}

proptest! {
    /// Whatever is taken in whatever parts: of each record, the changes take effect in the order of arrival.
    #[test]
    fn nothing_overtakes_its_own_record(changes in prop::collection::vec("[+-][abc]", 1..20), most in 1_usize..6) {
        let texts: Vec<_> = changes.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let mut waiting = ops(&texts);
        let mut done: HashMap<String, Vec<u64>> = HashMap::new();
        while !waiting.is_empty() {
            let taken = take(&mut waiting, most);
            prop_assert!(!taken.is_empty() && taken.len() <= most);
            prop_assert!(taken.is_sorted_by_key(|op| op.change.is_post()));
            for op in taken {
                done.entry(op.change.value().to_owned()).or_default().push(op.number);
            }
        }
        for (record, numbers) in done {
            // Two that make, or two that delete, may change places.
            for (at, number) in numbers.iter().enumerate() {
                for later in &numbers[at..] {
                    let kinds = [*number, *later].map(|n| texts[usize::try_from(n).unwrap()].starts_with('+'));
                    prop_assert!(number <= later || kinds[0] == kinds[1], "{record}: {numbers:?}");
                }
            }
        }
    }
}

fn ops(texts: &[&str]) -> Vec<Op> {
    let deadline = Deadline::within(Duration::from_secs(9));
    (0..).zip(texts).map(|(number, text)| Op::new(change(text), number, deadline)).collect()
}

/// `+a` makes the record whose value is `a`, `-a` deletes it.
/// The making (`+`) or the delete (`-`) of a record of a value, all at one name.
pub(in crate::cloudflare::writer) fn change(text: &str) -> Change {
    let fqdn = Fqdn::parse("_acme-challenge.example.com").unwrap();
    let value = &text[1..];
    if text.starts_with('+') {
        let value = TxtValue::parse(value).unwrap();
        Change::Post { fqdn, record: NewRecord { value, ttl: 60, comment: String::new() } }
    } else {
        Change::Delete { fqdn, value: value.to_owned(), id: format!("id of {value}") }
    }
}

fn texts(ops: &[Op]) -> Vec<String> {
    let sign = |op: &Op| if op.change.is_post() { '+' } else { '-' };
    ops.iter().map(|op| format!("{}{}", sign(op), op.change.value())).collect()
}
