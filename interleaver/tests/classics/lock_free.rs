//! Stack, queue and deque without locks.

use super::common::{fails, passes, run};
use interleaver::Report;
use interleaver::cell::UnsafeCell;
use interleaver::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use interleaver::sync::atomic::{AtomicPtr, AtomicUsize};
use std::ptr::null_mut;

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
