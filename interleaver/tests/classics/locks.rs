//! Locks made of atomics, and the seqlock.

use super::common::{count, fails, passes, run};
use interleaver::sync::atomic::AtomicUsize;
use interleaver::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use interleaver::{RaceCell, Report, hint};

type Flags = ([AtomicUsize; 2], AtomicUsize, RaceCell<usize>);

fn flags() -> Flags {
    (Default::default(), AtomicUsize::new(0), RaceCell::new(0))
}

#[test]
fn peterson_excludes() {
    passes(&run(
        2,
        flags,
        |(flag, turn, data), i| {
            flag[i].store(1, SeqCst);
            turn.store(1 - i, SeqCst);
            while flag[1 - i].load(SeqCst) == 1 && turn.load(SeqCst) == 1 - i {
                hint::spin_loop();
            }
            count(data);
            flag[i].store(0, SeqCst);
        },
        |w| assert_eq!(w.2.get(), 2),
    ));
}

#[test]
fn peterson_that_takes_the_turn_first_does_not() {
    fails(
        &run(
            2,
            flags,
            |(flag, turn, data), i| {
                turn.store(1 - i, SeqCst);
                flag[i].store(1, SeqCst);
                while flag[1 - i].load(SeqCst) == 1 && turn.load(SeqCst) == 1 - i {
                    hint::spin_loop();
                }
                count(data);
                flag[i].store(0, SeqCst);
            },
            |_| (),
        ),
        "data race",
    );
}

#[test]
fn dekker_tries_exclude_and_looking_first_does_not() {
    let good = run(
        2,
        flags,
        |(flag, _, data), i| {
            flag[i].store(1, SeqCst);
            if flag[1 - i].load(SeqCst) == 0 {
                count(data);
            }
            flag[i].store(0, Release);
        },
        |_| (),
    );
    passes(&good);
    let bad = run(
        2,
        flags,
        |(flag, _, data), i| {
            if flag[1 - i].load(SeqCst) == 0 {
                flag[i].store(1, SeqCst);
                count(data);
                flag[i].store(0, SeqCst);
            }
        },
        |_| (),
    );
    fails(&bad, "data race");
}

fn ticket_lock(take: fn(&AtomicUsize) -> usize) -> Report {
    let world = move || (AtomicUsize::new(0), AtomicUsize::new(0), RaceCell::new(0), take);
    run(
        3,
        world,
        |(next, serving, data, take), _| {
            let ticket = take(next);
            interleaver::spin_until(|| serving.load(Acquire) == ticket);
            count(data);
            serving.store(ticket + 1, Release);
        },
        |w| assert_eq!(w.2.get(), 3),
    )
}

#[test]
fn ticket_lock_excludes_and_torn_tickets_are_never_served() {
    passes(&ticket_lock(|next| next.fetch_add(1, Relaxed)));
    fails(
        &ticket_lock(|next| {
            let ticket = next.load(Relaxed);
            next.store(ticket + 1, Relaxed);
            ticket
        }),
        "deadlock",
    );
}

/// An MCS lock of two nodes, by index plus one; `tail` is the last in the queue.
struct Mcs {
    tail: AtomicUsize,
    next: [AtomicUsize; 2],
    locked: [AtomicUsize; 2],
    data: RaceCell<usize>,
}

fn mcs(i: usize, lock: &Mcs, waits_for_successor: bool) {
    lock.next[i].store(0, Relaxed);
    lock.locked[i].store(1, Relaxed);
    let before = lock.tail.swap(i + 1, AcqRel);
    if before != 0 {
        lock.next[before - 1].store(i + 1, Release);
        interleaver::spin_until(|| lock.locked[i].load(Acquire) == 0);
    }
    count(&lock.data);
    if lock.next[i].load(Acquire) == 0 {
        if lock.tail.compare_exchange(i + 1, 0, Release, Relaxed).is_ok() || !waits_for_successor {
            return;
        }
        interleaver::spin_until(|| lock.next[i].load(Acquire) != 0);
    }
    let next = lock.next[i].load(Acquire);
    lock.locked[next - 1].store(0, Release);
}

fn new_mcs() -> Mcs {
    Mcs { tail: AtomicUsize::new(0), next: Default::default(), locked: Default::default(), data: RaceCell::new(0) }
}

#[test]
fn mcs_lock_hands_over_unless_it_forgets_a_late_successor() {
    passes(&run(2, new_mcs, |lock, i| mcs(i, lock, true), |w| assert_eq!(w.data.get(), 2)));
    fails(&run(2, new_mcs, |lock, i| mcs(i, lock, false), |_| ()), "deadlock");
}

fn seqlock(rereads: bool) -> Report {
    let world = move || ([AtomicUsize::new(0), AtomicUsize::new(0)], AtomicUsize::new(0), rereads);
    run(
        2,
        world,
        |(data, seq, rereads), i| {
            if i == 0 {
                seq.store(1, Release);
                data[0].store(1, Release);
                data[1].store(1, Release);
                seq.store(2, Release);
                return;
            }
            let before = seq.load(Acquire);
            let seen = (data[0].load(Acquire), data[1].load(Acquire));
            if before % 2 == 0 && (!rereads || seq.load(Acquire) == before) {
                assert_eq!(seen.0, seen.1, "a torn read");
            }
        },
        |_| (),
    )
}

#[test]
fn seqlock_reads_are_not_torn_if_the_sequence_is_read_again() {
    passes(&seqlock(true));
    fails(&seqlock(false), "panic");
}
