//! Who joins whom, who makes the calls, and how many changes one carries.

use super::*;
use crate::cloudflare::script::soon;
use crate::cloudflare::writer::op::tests::change;

#[tokio::test(start_paused = true)]
async fn the_first_makes_the_calls_for_all_until_none_waits() {
    let mut queue = Queue::new();
    assert_eq!(queue.urgency(), None);
    let first = queue.enter(change("-a"), soon()).unwrap();
    assert_eq!((first.how, queue.urgency()), (How::First, Some(Urgency::CleanUp)));
    let second = queue.enter(change("+b"), soon()).unwrap();
    assert_eq!((second.how, queue.urgency()), (How::Behind, Some(Urgency::Present)));
    let third = queue.enter(change("+b"), soon()).unwrap();
    assert_eq!((third.how, third.number, queue.len()), (How::Joined, second.number, 2));
    assert_eq!(queue.take(Instant::now()).len(), 2);
    assert!(queue.is_running() && queue.urgency().is_none() && !queue.is_running());
    assert_eq!(queue.enter(change("-c"), soon()).unwrap().how, How::First);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_makes_way_alone() {
    let mut queue = Queue::new();
    drop(queue.enter(change("+a"), soon()).unwrap());
    let other = queue.enter(change("+b"), soon()).unwrap();
    let again = queue.enter(change("+a"), soon()).unwrap();
    assert_eq!((again.how, queue.len()), (How::Behind, 2));
    assert!(queue.is_waiting(other.number) && queue.is_waiting(again.number));
}

#[tokio::test(start_paused = true)]
async fn when_the_task_dies_what_waited_is_told_and_the_next_begins_anew() {
    let mut queue = Queue::new();
    let flying = queue.enter(change("+b"), soon()).unwrap();
    assert_eq!(queue.take(Instant::now()).len(), 1);
    let mut waiting = queue.enter(change("+a"), soon()).unwrap();
    assert!(queue.is_running() && queue.is_making(change("+b").fqdn(), flying.number));
    queue.abandon();
    assert!(waiting.verdict.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
    assert_eq!((queue.len(), queue.is_running()), (0, false));
    assert!(!queue.is_making(change("+b").fqdn(), flying.number));
    assert_eq!(queue.enter(change("+a"), soon()).unwrap().how, How::First);
}

#[tokio::test(start_paused = true)]
async fn refused_batches_are_tried_again_after_an_hour() {
    let mut queue = Queue::new();
    let begun = Instant::now();
    queue.go_singly(begun);
    let deadline = Deadline::within(SINGLY * 2);
    let _all = ["+a", "+b", "+c", "+d"].map(|text| queue.enter(change(text), deadline).unwrap());
    assert_eq!(queue.take(begun).len(), 1);
    assert_eq!(queue.take(begun + SINGLY).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn twice_as_many_are_tried_once_as_many_went_through() {
    let mut queue = Queue::new();
    queue.learn_size(FREE_PLAN - 1);
    assert_eq!(queue.most, 200);
    for most in [400, 800, 1600, 3200, 3500, 3500] {
        queue.learn_size(queue.most);
        assert_eq!(queue.most, most);
    }
    queue.limit_size();
    queue.learn_size(queue.most);
    assert_eq!(queue.most, 200);
}
