//! Read-copy-update: readers follow a pointer that a writer replaces meanwhile, and the old value lives until every
//! reader that could have it has left.
//!
//! # State of a CPU's word
//!
//! ```text
//!        read                 drop of the section
//!   2n --------> 2n + 1 ----------------------------> 2n + 2
//!  outside       inside                               outside
//! ```
//!
//! # Invariants
//! - I1. A value is freed when each CPU was outside, or has left the section that it was in, at some moment after the
//!   pointer to it was replaced.
//! - I2. Sections of one CPU do not nest: a function that needs one takes the caller's.
//! - I3. The writer of a pointer is alone: [`RcuWriter`] changes it through `&mut` only.
//!
//! # Memory ordering
//! - O1. A reader enters by an `AcqRel` update, and the writer looks by an `AcqRel` update of the same word after it
//!   has replaced the pointer. Whichever comes second in that word's order sees the first: either the writer sees the
//!   reader inside, or the reader sees the new pointer. So no stronger fence is needed.
//! - O2. Leaving is `AcqRel`, and the writer's later looks are `Acquire`: what readers read happens before the free.
//! - O3. Replacing the pointer is `AcqRel`, reading it `Acquire`: whoever sees the pointer sees the value.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_utils::CachePadded;
use parking_lot::lock_api::Mutex;

use super::probe::{describe, named, pointer};
use super::seam::{AtomicWord, NewLock, Platform, RaceWord};
use super::variant::{Variant, ordering};

/// The read-side sections of every CPU, and what waits for their ends.
pub struct Rcu<P: Platform> {
    cpus: Box<[CachePadded<P::AtomicU64>]>,
    deferred: Mutex<P::RawSpin, Vec<(Grace, Action)>>,
}

/// Something that is done when a grace period is over.
type Action = Box<dyn FnOnce() + Send>;

/// A read-side section (`rcu_read_lock` to `rcu_read_unlock`): what was found in it lives until its end.
#[must_use = "the section ends when it is dropped"]
pub struct RcuSection<'r, P: Platform> {
    rcu: &'r Rcu<P>,
    word: &'r P::AtomicU64,
    /// A section belongs to its CPU, so it stays on its thread.
    _stays: PhantomData<*const ()>,
}

/// The CPUs that were inside when a pointer was replaced, with their words.
struct Grace(Vec<(usize, u64)>);

impl<P: Platform> Rcu<P> {
    /// No CPU of `cpus` is in a section.
    pub fn new(cpus: usize) -> Self {
        let deferred = Mutex::from_raw(P::RawSpin::new_lock("rcu"), Vec::new());
        Self {
            cpus: (0..cpus)
                .map(|cpu| CachePadded::new(named::<P>(format_args!("rcu section of CPU {cpu}"), 0)))
                .collect(),
            deferred,
        }
    }

    /// Begins a section on a CPU.
    ///
    /// # Panics
    /// If the CPU is in one already (I2).
    #[track_caller]
    pub fn read(&self, cpu: usize) -> RcuSection<'_, P> {
        let word: &P::AtomicU64 = &self.cpus[cpu];
        // ORDER O1: pairs with `begin_grace`.
        let before = word.fetch_add(1, ordering::<P>(Variant::ORcuEnter, Ordering::AcqRel));
        assert!(before.is_multiple_of(2), "CPU {cpu} began an RCU section inside of one: pass the outer one on");
        Inside::change::<P>(|sections| sections + 1);
        RcuSection { rcu: self, word, _stays: PhantomData }
    }

    /// Does something once every reader that is inside now has left (`call_rcu`): at once, or at a later call.
    #[track_caller]
    pub fn defer(&self, action: impl FnOnce() + Send + 'static) {
        let grace = self.begin_grace();
        let mut deferred = self.deferred.lock();
        deferred.push((grace, Box::new(action)));
        let due: Vec<_> = deferred.extract_if(.., |(grace, _)| self.is_over(grace)).collect();
        drop(deferred);
        due.into_iter().for_each(|(_, action)| action());
    }

    /// Notes who is inside now.
    fn begin_grace(&self) -> Grace {
        // ORDER O1: pairs with `read`.
        let order = ordering::<P>(Variant::ORcuLook, Ordering::AcqRel);
        let words = self.cpus.iter().map(|word| word.fetch_add(0, order)).enumerate();
        Grace(words.filter(|(_, word)| !word.is_multiple_of(2)).collect())
    }

    /// Whether all of them have left.
    fn is_over(&self, grace: &mut Grace) -> bool {
        // ORDER O2: pairs with the end of the section.
        let order = ordering::<P>(Variant::ORcuOver, Ordering::Acquire);
        grace.0.retain(|(cpu, seen)| self.cpus[*cpu].load(order) == *seen);
        grace.0.is_empty()
    }
}

impl<P: Platform> Drop for Rcu<P> {
    fn drop(&mut self) {
        // Nobody is left to be inside.
        self.deferred.get_mut().drain(..).for_each(|(_, action)| action());
    }
}

impl<P: Platform> fmt::Debug for Rcu<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rcu").field("cpus", &self.cpus.len()).finish_non_exhaustive()
    }
}

impl<P: Platform> Drop for RcuSection<'_, P> {
    fn drop(&mut self) {
        // ORDER O2: pairs with `is_over`, and with `begin_grace`.
        self.word.fetch_add(1, ordering::<P>(Variant::ORcuLeave, Ordering::AcqRel));
        Inside::change::<P>(|sections| sections.saturating_sub(1));
    }
}

/// The sections that the running thread is in.
#[derive(Debug, Default)]
struct Inside(Cell<usize>);

impl Inside {
    fn change<P: Platform>(change: impl FnOnce(usize) -> usize) {
        if P::LOCKDEP {
            P::with_locals(|locals| {
                let Self(sections) = &*locals.get::<Self>();
                sections.set(change(sections.get()));
            });
        }
    }
}

/// Whether the running thread is in a read-side section, in which it may not sleep (`rcu_read_lock_held`).
pub fn in_rcu_section<P: Platform>() -> bool {
    P::with_locals(|locals| locals.get::<Inside>().0.get() > 0).unwrap_or(false)
}

/// A published value. Readers share it; one [`RcuWriter`] replaces what it holds.
#[derive(Debug)]
pub struct RcuReader<P: Platform, T> {
    rcu: Arc<Rcu<P>>,
    pointer: P::AtomicU64,
    _owns: PhantomData<Box<Node<P, T>>>,
}

struct Node<P: Platform, T> {
    value: T,
    /// Ghost: written when the node is made and when it is freed, read by every reader: a race means that the pointer
    /// did not publish the value, or that it was freed too early.
    life: P::RaceWord,
}

impl<P: Platform, T> RcuReader<P, T> {
    /// What is published now; it lives as long as the section.
    ///
    /// # Panics
    /// If the section is one of another [`Rcu`].
    #[track_caller]
    pub fn get<'s>(&'s self, section: &'s RcuSection<'_, P>) -> &'s T {
        assert!(ptr::eq(section.rcu, &*self.rcu), "a section protects what its own RCU publishes");
        // ORDER O3: pairs with the swap in `publish`.
        let pointer = self.pointer.load(ordering::<P>(Variant::ORcuGet, Ordering::Acquire));
        // SAFETY: the pointer came from `expose`, and by I1 its node is freed after this section, which `'s` is inside
        // of.
        let node = unsafe { &*ptr::with_exposed_provenance::<Node<P, T>>(pointer as usize) };
        if P::CHECKED {
            node.life.get();
        }
        &node.value
    }
}

impl<P: Platform, T> Drop for RcuReader<P, T> {
    fn drop(&mut self) {
        drop(reclaim::<P, T>(self.pointer.final_value()));
    }
}

/// The one who replaces a published value.
#[derive(Debug)]
pub struct RcuWriter<P: Platform, T>(Arc<RcuReader<P, T>>);

impl<P: Platform, T: Send + Sync + 'static> RcuWriter<P, T> {
    /// Publishes a first value.
    pub fn new(rcu: Arc<Rcu<P>>, value: T) -> Self {
        let word = P::AtomicU64::new(expose::<P, T>(value));
        describe::<P>(&word, format_args!("rcu pointer"), pointer);
        Self(Arc::new(RcuReader { rcu, pointer: word, _owns: PhantomData }))
    }

    /// What readers need.
    pub fn reader(&self) -> Arc<RcuReader<P, T>> {
        Arc::clone(&self.0)
    }

    /// Replaces the value (`rcu_assign_pointer`, `kfree_rcu`); the old one is freed after a grace period.
    #[track_caller]
    pub fn publish(&mut self, value: T) {
        // ORDER O3: pairs with the load in `get`; the old pointer is ours from now on.
        let order = ordering::<P>(Variant::ORcuPublish, Ordering::AcqRel);
        let old = self.0.pointer.swap(expose::<P, T>(value), order);
        self.0.rcu.defer(move || {
            let node = reclaim::<P, T>(old);
            if P::CHECKED {
                node.life.set(2);
            }
        });
    }

    /// Does something once every reader that is inside now has left.
    #[track_caller]
    pub fn defer(&self, action: impl FnOnce() + Send + 'static) {
        self.0.rcu.defer(action);
    }
}

fn expose<P: Platform, T>(value: T) -> u64 {
    let life = P::RaceWord::new("I1 of RCU (a reader sees a whole value that is not freed)", 1);
    Box::into_raw(Box::new(Node::<P, T> { value, life })).expose_provenance() as u64
}

/// Takes the node back out of a pointer that `expose` made and that nobody else can reach.
fn reclaim<P: Platform, T>(pointer: u64) -> Box<Node<P, T>> {
    // SAFETY: both callers own the pointer: a retired one is out of every reader's reach (I1), and `drop` has the only
    // reference to the published one.
    unsafe { Box::from_raw(ptr::with_exposed_provenance_mut(pointer as usize)) }
}

// SAFETY: the reader owns a `T` and lends `&T` to every thread that is in a section.
unsafe impl<P: Platform, T: Send + Sync> Sync for RcuReader<P, T> {}
// SAFETY: as above; whoever drops it last drops the value.
unsafe impl<P: Platform, T: Send + Sync> Send for RcuReader<P, T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::interleaved::{Interleaved, Search, explore};
    use crate::platform::{Native, TwoLevels, Verdict, Watch, X86_64};

    type Checked = Interleaved<TwoLevels>;

    #[test]
    fn what_is_replaced_is_freed_once_its_readers_have_left() {
        let rcu = Arc::new(Rcu::<Native<X86_64>>::new(2));
        let mut writer = RcuWriter::new(Arc::clone(&rcu), Arc::new(1));
        let reader = writer.reader();
        let section = rcu.read(1);
        let seen = reader.get(&section);
        let first = Arc::clone(seen);
        writer.publish(Arc::new(2));
        assert_eq!((**seen, Arc::strong_count(&first)), (1, 2), "the reader still has it");
        drop(section);
        writer.publish(Arc::new(3));
        assert_eq!(Arc::strong_count(&first), 1, "nobody reads it any more");
        assert_eq!(**reader.get(&rcu.read(0)), 3);
    }

    #[test]
    #[should_panic(expected = "inside of one")]
    fn sections_of_a_cpu_do_not_nest() {
        let rcu = Rcu::<Native<X86_64>>::new(1);
        let _outer = rcu.read(0);
        drop(rcu.read(0));
    }

    /// A reader and a writer that replaces the value and calls something after a grace period.
    fn race(leak: fn(&RcuReader<Checked, u64>, &Rcu<Checked>) -> u64) -> (Verdict, u64) {
        let report = explore("rcu", Search::Everything, &Watch::default(), move || {
            let rcu = Arc::new(Rcu::<Checked>::new(2));
            let mut writer = RcuWriter::new(Arc::clone(&rcu), 1);
            let reader = writer.reader();
            let reading = Checked::spawn("R".to_owned(), move || leak(&reader, &rcu));
            writer.publish(2);
            assert!([1, 2].contains(&Checked::join(reading)));
        });
        (report.verdict, report.executions)
    }

    #[test]
    fn a_reader_sees_the_old_value_or_the_new_one_in_every_interleaving() {
        let (verdict, executions) = race(|reader, rcu| *reader.get(&rcu.read(1)));
        assert_eq!(verdict, Verdict::Holds);
        assert!(executions > 2, "{executions}");
    }

    #[test]
    fn a_value_that_is_freed_under_its_reader_is_found() {
        let (verdict, _) = race(|reader, rcu| {
            // A section that the writer cannot see: its word is nobody's.
            let word = <Checked as Platform>::AtomicU64::new(1);
            *reader.get(&RcuSection { rcu, word: &word, _stays: PhantomData })
        });
        assert!(matches!(&verdict, Verdict::Violated(words) if words.contains("I1 of RCU")), "{verdict:?}");
    }
}
