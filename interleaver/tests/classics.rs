//! Well-known algorithms, correct and broken, each with the verdict stated. Sequential consistency: what is broken
//! only by stale values (SB, LB and IRIW with relaxed orderings) passes here, and says so.

use interleaver::cell::UnsafeCell;
use interleaver::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use interleaver::sync::atomic::{AtomicPtr, AtomicUsize};
use interleaver::sync::{Condvar, Mutex};
use interleaver::{Builder, RaceCell, Report, hint, thread};
use std::collections::BTreeSet;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex as StdMutex};

fn run<W: Send + Sync + 'static>(
    n: usize,
    world: impl Fn() -> W + Send + Sync + 'static,
    f: fn(&W, usize),
    end: fn(&W),
) -> Report {
    Builder::new().check(move || {
        let world = Arc::new(world());
        let spawn = |i| {
            let world = world.clone();
            thread::spawn(move || f(&world, i))
        };
        let handles: Vec<_> = (0..n).map(spawn).collect();
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
        end(&world);
    })
}

#[track_caller]
fn passes(report: &Report) {
    report.expect_pass();
    assert!(report.is_complete() && report.blocked == 0, "{report}");
}

#[track_caller]
fn fails(report: &Report, kind: &str) {
    assert_eq!(report.expect_failure().reason.kind(), kind, "{report}");
}

/// Runs a litmus test and collects what the threads saw.
fn litmus(n: usize, f: fn(&[AtomicUsize; 2], usize) -> usize) -> BTreeSet<Vec<usize>> {
    let seen: Arc<StdMutex<BTreeSet<Vec<usize>>>> = Arc::default();
    let all = seen.clone();
    let report = Builder::new().check(move || {
        let world: Arc<[AtomicUsize; 2]> = Arc::default();
        let spawn = |i| {
            let world = world.clone();
            thread::spawn(move || f(&world, i))
        };
        let handles: Vec<_> = (0..n).map(spawn).collect();
        let outcome = handles.into_iter().map(|h| h.join().expect("no thread panics")).collect();
        all.lock().expect("not poisoned").insert(outcome);
    });
    passes(&report);
    seen.lock().expect("not poisoned").clone()
}

fn set(outcomes: &[&[usize]]) -> BTreeSet<Vec<usize>> {
    outcomes.iter().map(|o| o.to_vec()).collect()
}

#[test]
fn store_buffering_never_sees_two_zeros() {
    let seen = litmus(2, |x, i| {
        x[i].store(1, Relaxed);
        x[1 - i].load(Relaxed)
    });
    assert_eq!(seen, set(&[&[0, 1], &[1, 0], &[1, 1]]));
}

#[test]
fn message_passing_never_sees_the_flag_without_the_data() {
    let seen = litmus(2, |x, i| {
        if i == 0 {
            x[0].store(1, Relaxed);
            x[1].store(1, Relaxed);
            return 0;
        }
        x[1].load(Relaxed) * 2 + x[0].load(Relaxed)
    });
    assert_eq!(seen, set(&[&[0, 0], &[0, 1], &[0, 3]]));
}

#[test]
fn load_buffering_never_sees_two_ones() {
    let seen = litmus(2, |x, i| {
        let value = x[i].load(Relaxed);
        x[1 - i].store(1, Relaxed);
        value
    });
    assert_eq!(seen, set(&[&[0, 0], &[0, 1], &[1, 0]]));
}

#[test]
fn independent_reads_agree_on_the_order_of_writes() {
    let seen = litmus(4, |x, i| {
        if i < 2 {
            x[i].store(1, Relaxed);
            return 0;
        }
        let first = x[i - 2].load(Relaxed);
        first * 2 + x[3 - i].load(Relaxed)
    });
    assert!(!seen.contains(&vec![0, 0, 2, 2]));
    assert_eq!(seen.len(), 15);
}

#[test]
fn reads_of_one_location_do_not_go_back() {
    let seen = litmus(2, |x, i| {
        if i == 0 {
            x[0].store(1, Relaxed);
            return 0;
        }
        let first = x[0].load(Relaxed);
        first * 2 + x[0].load(Relaxed)
    });
    assert_eq!(seen, set(&[&[0, 0], &[0, 1], &[0, 3]]));
}

type Flags = ([AtomicUsize; 2], AtomicUsize, RaceCell<usize>);

fn flags() -> Flags {
    (Default::default(), AtomicUsize::new(0), RaceCell::new(0))
}

fn count(cell: &RaceCell<usize>) {
    cell.set(cell.get() + 1);
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

/// A Treiber stack over three nodes by index plus one; a tag beside the head prevents ABA.
struct Treiber {
    head: AtomicUsize,
    next: [AtomicUsize; 3],
    tag: usize,
}

impl Treiber {
    fn pop(&self) -> Option<usize> {
        loop {
            let head = self.head.load(Acquire);
            let index = head % 8;
            if index == 0 {
                return None;
            }
            let next = self.next[index - 1].load(Acquire) + (head / 8 + self.tag) * 8;
            if self.head.compare_exchange(head, next, AcqRel, Acquire).is_ok() {
                return Some(index);
            }
        }
    }

    fn push(&self, index: usize) {
        loop {
            let head = self.head.load(Acquire);
            self.next[index - 1].store(head % 8, Release);
            if self.head.compare_exchange(head, index + (head / 8 + self.tag) * 8, AcqRel, Acquire).is_ok() {
                return;
            }
        }
    }
}

fn treiber(tag: usize) -> Report {
    let world = move || {
        (
            Treiber { head: AtomicUsize::new(1), next: [2, 3, 0].map(AtomicUsize::new), tag },
            [0; 4].map(AtomicUsize::new),
        )
    };
    run(
        2,
        world,
        |(stack, owners), i| {
            let own = |node: usize| assert_eq!(owners[node].fetch_add(1, SeqCst), 0, "two owners of one node");
            let first = stack.pop();
            if i == 0 {
                first.into_iter().for_each(own);
                return;
            }
            let second = stack.pop();
            second.into_iter().for_each(own);
            first.into_iter().for_each(|node| stack.push(node));
        },
        |(stack, owners)| {
            while let Some(node) = stack.pop() {
                assert_eq!(owners[node].fetch_add(1, SeqCst), 0, "two owners of one node");
            }
        },
    )
}

#[test]
fn treiber_stack_suffers_from_aba_without_a_tag() {
    passes(&treiber(1));
    fails(&treiber(0), "panic");
}

/// A queue node; the value is written before the node is linked.
struct QueueNode {
    value: UnsafeCell<usize>,
    next: AtomicPtr<QueueNode>,
}

/// A Michael-Scott queue that never frees a node while it is used.
struct Queue {
    head: AtomicPtr<QueueNode>,
    tail: AtomicPtr<QueueNode>,
    link: interleaver::sync::atomic::Ordering,
}

fn node(value: usize) -> *mut QueueNode {
    Box::into_raw(Box::new(QueueNode { value: UnsafeCell::new(value), next: AtomicPtr::new(null_mut()) }))
}

impl Queue {
    fn new(link: interleaver::sync::atomic::Ordering) -> Queue {
        let dummy = node(0);
        Queue { head: AtomicPtr::new(dummy), tail: AtomicPtr::new(dummy), link }
    }

    fn push(&self, value: usize) {
        let new = node(value);
        loop {
            let tail = self.tail.load(Acquire);
            // SAFETY: nodes are leaked, so every pointer that was published stays valid.
            let next = unsafe { &(*tail).next };
            let after = next.load(Acquire);
            if !after.is_null() {
                let _ = self.tail.compare_exchange(tail, after, AcqRel, Acquire);
            } else if next.compare_exchange(null_mut(), new, self.link, Relaxed).is_ok() {
                let _ = self.tail.compare_exchange(tail, new, self.link, Relaxed);
                return;
            }
        }
    }

    fn pop(&self) -> Option<usize> {
        loop {
            let head = self.head.load(Acquire);
            // SAFETY: as above.
            let next = unsafe { (*head).next.load(Acquire) };
            if next.is_null() {
                return None;
            }
            // SAFETY: as above; the checker watches the access.
            let value = unsafe { (*next).value.with(|v| *v) };
            if self.head.compare_exchange(head, next, AcqRel, Acquire).is_ok() {
                return Some(value);
            }
        }
    }
}

fn queue(link: interleaver::sync::atomic::Ordering) -> Report {
    run(
        2,
        move || Queue::new(link),
        |queue, i| {
            queue.push(i + 1);
            assert!(queue.pop().is_some(), "an element was lost");
        },
        |queue| assert_eq!(queue.pop(), None),
    )
}

#[test]
fn michael_scott_queue_keeps_elements_if_links_are_released() {
    passes(&queue(AcqRel));
    fails(&queue(Relaxed), "data race");
}

/// A Chase-Lev deque of fixed size: the owner works at the bottom, a thief at the top.
struct Deque {
    top: AtomicUsize,
    bottom: AtomicUsize,
    items: [AtomicUsize; 3],
    taken: [AtomicUsize; 3],
}

impl Deque {
    fn take(&self, settles_last: bool) {
        let bottom = self.bottom.load(Relaxed) - 1;
        self.bottom.store(bottom, SeqCst);
        let top = self.top.load(SeqCst);
        if top > bottom {
            self.bottom.store(top, Relaxed);
            return;
        }
        let item = self.items[bottom].load(Relaxed);
        if top == bottom {
            let won = !settles_last || self.top.compare_exchange(top, top + 1, SeqCst, Relaxed).is_ok();
            self.bottom.store(top + 1, Relaxed);
            if !won {
                return;
            }
        }
        self.own(item);
    }

    fn steal(&self) {
        let top = self.top.load(SeqCst);
        if top < self.bottom.load(SeqCst) {
            let item = self.items[top].load(Relaxed);
            if self.top.compare_exchange(top, top + 1, SeqCst, Relaxed).is_ok() {
                self.own(item);
            }
        }
    }

    fn own(&self, item: usize) {
        assert_eq!(self.taken[item].fetch_add(1, SeqCst), 0, "taken twice");
    }
}

fn new_deque() -> Deque {
    Deque {
        top: AtomicUsize::new(0),
        bottom: AtomicUsize::new(2),
        items: [0, 1, 2].map(AtomicUsize::new),
        taken: Default::default(),
    }
}

#[test]
fn chase_lev_deque_settles_the_last_element_by_cas() {
    let work: [fn(&Deque, usize); 2] = [
        |deque, i| (0..2).for_each(|_| if i == 0 { deque.take(true) } else { deque.steal() }),
        |deque, i| (0..2).for_each(|_| if i == 0 { deque.take(false) } else { deque.steal() }),
    ];
    passes(&run(2, new_deque, work[0], |_| ()));
    fails(&run(2, new_deque, work[1], |_| ()), "panic");
}

fn philosophers(order: fn(usize) -> (usize, usize)) -> Report {
    let forks = || [0; 3].map(|_| Mutex::new(()).named("fork"));
    let world = move || (forks(), order);
    run(
        3,
        world,
        |(forks, order), i| {
            let (first, second) = order(i);
            let _first = forks[first].lock();
            let _second = forks[second].lock();
        },
        |_| (),
    )
}

#[test]
fn philosophers_dine_if_one_is_left_handed() {
    passes(&philosophers(|i| if i == 2 { (0, 2) } else { (i, i + 1) }));
    let report = philosophers(|i| (i, (i + 1) % 3));
    fails(&report, "deadlock");
    assert!(report.to_string().contains("a cycle of 3"), "{report}");
}

#[test]
fn readers_and_writers_share_under_the_lock_and_not_beside_it() {
    let world = || (interleaver::sync::RwLock::new(()), RaceCell::new(0));
    let good = run(
        3,
        world,
        |(lock, data), i| {
            if i == 0 {
                let _guard = lock.write();
                data.set(1);
            } else {
                let _guard = lock.read();
                data.get();
            }
        },
        |_| (),
    );
    passes(&good);
    let bad = run(
        2,
        world,
        |(lock, data), i| {
            let _guard = lock.read();
            if i == 0 { data.set(1) } else { _ = data.get() }
        },
        |_| (),
    );
    fails(&bad, "data race");
}

type Buffer = (Mutex<Vec<usize>>, Condvar);

fn consume_if((items, changed): &Buffer) {
    let mut guard = items.lock().expect("not poisoned");
    if guard.is_empty() {
        guard = changed.wait(guard).expect("not poisoned");
    }
    guard.pop().expect("woken up although there is nothing");
}

fn consume_while((items, changed): &Buffer) {
    let guard = items.lock().expect("not poisoned");
    let mut guard = changed.wait_while(guard, |items| items.is_empty()).expect("not poisoned");
    guard.pop().expect("the condition was checked");
}

fn buffer(consume: fn(&Buffer)) -> Report {
    let world = move || ((Mutex::new(Vec::new()), Condvar::new()), consume);
    run(
        4,
        world,
        |(buffer, consume), i| {
            if i < 2 {
                consume(buffer);
            } else {
                buffer.0.lock().expect("not poisoned").push(i);
                buffer.1.notify_one();
            }
        },
        |_| (),
    )
}

#[test]
fn a_bounded_buffer_needs_while_and_not_if() {
    passes(&buffer(consume_while));
    fails(&buffer(consume_if), "panic");
}
