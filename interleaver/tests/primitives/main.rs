//! Each primitive by itself: correct and broken use, and how many executions it takes.

mod barrier;
mod bit_lock;
mod channel;
mod choice;
mod common;
mod condvar;
mod counter;
mod future;
mod once;
mod parking;
mod poison;
mod rwlock;
mod spinning;
mod threads;
mod weak_cas;
