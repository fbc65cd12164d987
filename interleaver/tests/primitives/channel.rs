//! Channels.

use super::common::{check, deadlocks_in, results};
use interleaver::sync::mpsc::{TryRecvError, channel};
use interleaver::{Builder, thread};
use std::collections::BTreeSet;

#[test]
fn values_of_two_senders_arrive_in_any_order_and_each_senders_in_its_own() {
    let code = || {
        let (sender, receiver) = channel();
        let other = sender.clone();
        let handles = [
            thread::spawn(move || sender.send(1).expect("it is received")),
            thread::spawn(move || (2..4).for_each(|i| other.send(i).expect("it is received"))),
        ];
        let received: Vec<u32> = std::iter::from_fn(|| receiver.recv().ok()).collect();
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
        received
    };
    let all = BTreeSet::from([vec![1, 2, 3], vec![2, 1, 3], vec![2, 3, 1]]);
    assert_eq!(results(&Builder::new(), code), all);
}

#[test]
fn an_end_that_is_gone_is_noticed() {
    check(|| {
        let (sender, receiver) = channel();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        sender.send(1).expect("the receiver is there");
        drop(sender);
        assert_eq!((receiver.recv(), receiver.recv().is_err()), (Ok(1), true));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        let (sender, receiver) = channel();
        drop(receiver);
        assert_eq!(sender.send(2).expect_err("nobody receives").0, 2);
    })
    .expect_pass();
}

#[test]
fn waiting_for_what_only_oneself_could_send_is_a_deadlock() {
    deadlocks_in(1, 1, || {
        let (_sender, receiver) = channel::<u32>();
        _ = receiver.recv();
    });
}
