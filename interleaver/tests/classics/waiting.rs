//! Philosophers, readers and writers, and a bounded buffer.

use super::common::{fails, passes, run};
use interleaver::sync::{Condvar, Mutex};
use interleaver::{RaceCell, Report};

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
