//! C11 happens-before: who has synchronized with whom, from the orderings written in the code.
//!
//! This is not the order that the search uses: two relaxed accesses of one atomic are ordered for the search and not
//! here.
//!
//! # Invariants
//! - H1. `thread[t]` covers what happens before the next step of `t`; its own component grows with every release, so
//!   that what `t` did later is not taken for released.
//! - H2. `sync[o]` is the clock of the release sequence that the present value of atomic `o` heads or continues: a
//!   plain store replaces it, a read-modify-write joins it. For a lock it is what the last exclusive holder released.
//! - H3. `shared[o]` joins what the readers of a lock released since; only writers acquire it.
//! - H4. A relaxed load leaves the clock in `pending[t]`, where an acquire fence finds it; a release fence leaves the
//!   thread's clock in `fence[t]`, from where relaxed stores publish it.

use super::clock::{Clocks, join};
use super::op::{ObjId, Place, Tid};
use std::sync::atomic::Ordering;

/// Something that a clock covers or not: a thread's component value, and where it was.
#[derive(Clone, Copy)]
pub(crate) struct Epoch {
    pub tid: Tid,
    pub time: u32,
    pub place: Place,
}

/// Plain data: its last write and the reads since.
#[derive(Default)]
pub(crate) struct PlainCell {
    pub write: Option<Epoch>,
    pub reads: Vec<Epoch>,
    pub label: Option<&'static str>,
}

pub(crate) struct Happens {
    stride: usize,
    threads: Clocks,
    fence: Clocks,
    pending: Clocks,
    sync: Clocks,
    shared: Clocks,
    cells: Vec<PlainCell>,
    cells_len: usize,
}

/// What an access of plain data does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlainAccess {
    /// Looks at the data.
    Read,
    /// Changes the data, drops it or moves it out.
    Write,
}

/// Two accesses of plain data that nothing orders.
#[derive(Clone, Copy)]
pub(crate) struct Conflict {
    pub earlier: Epoch,
    pub earlier_access: PlainAccess,
}

fn acquires(order: Ordering) -> bool {
    matches!(order, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

fn releases(order: Ordering) -> bool {
    matches!(order, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

impl Happens {
    pub(crate) fn new(stride: usize) -> Happens {
        let clocks = || Clocks::new(stride);
        Happens {
            stride,
            threads: clocks(),
            fence: clocks(),
            pending: clocks(),
            sync: clocks(),
            shared: clocks(),
            cells: Vec::new(),
            cells_len: 0,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.sync.rewind();
        self.shared.rewind();
        self.cells_len = 0;
    }

    pub(crate) fn restride(&mut self, stride: usize) {
        self.stride = stride;
        for clocks in [&mut self.threads, &mut self.fence, &mut self.pending, &mut self.sync, &mut self.shared] {
            clocks.restride(stride);
        }
    }

    pub(crate) fn add_thread(&mut self) {
        self.threads.push_zero();
        self.fence.push_zero();
        self.pending.push_zero();
    }

    pub(crate) fn add_object(&mut self) {
        self.sync.push_zero();
        self.shared.push_zero();
    }

    pub(crate) fn start(&mut self, thread: usize) {
        self.threads.get_mut(thread).fill(0);
        self.fence.get_mut(thread).fill(0);
        self.pending.get_mut(thread).fill(0);
        self.threads.get_mut(thread)[thread] = 1;
    }

    pub(crate) fn spawn(&mut self, parent: usize, child: usize) {
        self.start(child);
        self.threads.join_within(parent, child);
        self.threads.get_mut(child)[child] = 1;
        self.tick(parent);
    }

    /// The thread that ends is wholly before the one that waited for its end.
    pub(crate) fn thread_to_thread(&mut self, from: Tid, to: Tid) {
        self.threads.join_within(from.index(), to.index());
        self.tick(from.index());
    }

    fn tick(&mut self, thread: usize) {
        self.threads.get_mut(thread)[thread] += 1;
    }

    pub(crate) fn load(&mut self, tid: Tid, obj: ObjId, order: Ordering) {
        let sync = self.sync.get(obj.index());
        if acquires(order) {
            join(self.threads.get_mut(tid.index()), sync);
        } else {
            join(self.pending.get_mut(tid.index()), sync);
        }
    }

    pub(crate) fn store(&mut self, tid: Tid, obj: ObjId, order: Ordering) {
        self.sync.get_mut(obj.index()).fill(0);
        self.publish(tid, obj, order);
    }

    /// A read-modify-write reads with its acquire half and continues the release sequence.
    pub(crate) fn update(&mut self, tid: Tid, obj: ObjId, order: Ordering) {
        self.load(tid, obj, order);
        self.publish(tid, obj, order);
    }

    fn publish(&mut self, tid: Tid, obj: ObjId, order: Ordering) {
        let sync = self.sync.get_mut(obj.index());
        if releases(order) {
            join(sync, self.threads.get(tid.index()));
            self.tick(tid.index());
        } else {
            join(sync, self.fence.get(tid.index()));
        }
    }

    pub(crate) fn fence(&mut self, tid: Tid, order: Ordering) {
        let t = tid.index();
        if acquires(order) {
            join(self.threads.get_mut(t), self.pending.get(t));
        }
        if releases(order) {
            let clock = self.threads.get(t);
            self.fence.get_mut(t).copy_from_slice(clock);
            self.tick(t);
        }
    }

    pub(crate) fn acquire_exclusive(&mut self, tid: Tid, obj: ObjId) {
        join(self.threads.get_mut(tid.index()), self.sync.get(obj.index()));
        join(self.threads.get_mut(tid.index()), self.shared.get(obj.index()));
    }

    pub(crate) fn acquire_shared(&mut self, tid: Tid, obj: ObjId) {
        join(self.threads.get_mut(tid.index()), self.sync.get(obj.index()));
    }

    pub(crate) fn release_exclusive(&mut self, tid: Tid, obj: ObjId) {
        join(self.sync.get_mut(obj.index()), self.threads.get(tid.index()));
        self.tick(tid.index());
    }

    pub(crate) fn release_shared(&mut self, tid: Tid, obj: ObjId) {
        join(self.shared.get_mut(obj.index()), self.threads.get(tid.index()));
        self.tick(tid.index());
    }

    pub(crate) fn add_cell(&mut self) -> usize {
        if self.cells_len == self.cells.len() {
            self.cells.push(PlainCell::default());
        }
        let cell = &mut self.cells[self.cells_len];
        cell.write = None;
        cell.reads.clear();
        cell.label = None;
        self.cells_len += 1;
        self.cells_len - 1
    }

    pub(crate) fn cell_mut(&mut self, cell: usize) -> &mut PlainCell {
        &mut self.cells[cell]
    }

    /// Records an access of plain data; returns an earlier one that does not happen before it.
    pub(crate) fn access(&mut self, tid: Tid, cell: usize, access: PlainAccess, place: Place) -> Option<Conflict> {
        let clock = self.threads.get(tid.index());
        let now = Epoch { tid, time: clock[tid.index()], place };
        let covered = |e: &Epoch| clock[e.tid.index()] >= e.time;
        let cell = &mut self.cells[cell];
        if let Some(write) = cell.write.filter(|w| !covered(w)) {
            return Some(Conflict { earlier: write, earlier_access: PlainAccess::Write });
        }
        match access {
            PlainAccess::Read => {
                cell.reads.retain(|r| r.tid != tid);
                cell.reads.push(now);
            }
            PlainAccess::Write => {
                if let Some(&read) = cell.reads.iter().find(|r| !covered(r)) {
                    return Some(Conflict { earlier: read, earlier_access: PlainAccess::Read });
                }
                cell.reads.clear();
                cell.write = Some(now);
            }
        }
        None
    }
}
