//! The vocabulary of the engine: threads, objects, operations, and when two accesses commute.
//!
//! # When two accesses of one object commute
//!
//! | class    | who                                                          | commutes with |
//! |----------|--------------------------------------------------------------|---------------|
//! | `Read`   | load, failed CAS, failed try, waiting until free             | `Read`        |
//! | `Shared` | read-lock, read-unlock, joining a condvar's waiters          | `Shared`      |
//! | `Add`    | addition whose result nobody sees, unpark                    | `Add`         |
//! | `Write`  | everything else                                              | nothing       |
//!
//! Accesses of two objects always commute. The class is that of what the operation *did*: a CAS is a `Write` when it
//! succeeded and a `Read` when it failed.
//!
//! # Invariants
//! - V1. Two accesses of one object in different classes never commute. So the accesses of an object form a sequence of
//!   groups, each group of one class, and an access happens after all of the group before its own (`engine/depend.rs`).

use std::panic::Location;

/// A source place, as `#[track_caller]` gives it.
pub(crate) type Place = &'static Location<'static>;

/// A thread of the code under test; the main thread is 0. Stable over all executions of one check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct Tid(pub u8);

impl Tid {
    pub(crate) const MAIN: Tid = Tid(0);
    /// Threads that one check may have, over all its executions.
    pub(crate) const LIMIT: usize = 128;

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The number for the next thread when so many were spawned; `None` at the limit.
    pub(crate) fn nth_spawned(before: usize) -> Option<Tid> {
        let next = before + 1;
        (next < Tid::LIMIT).then_some(Tid(next as u8))
    }
}

/// An object in the table of the present execution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ObjId(pub u32);

impl ObjId {
    pub(crate) const NONE: ObjId = ObjId(u32::MAX);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// An object's name: creating thread and running number. Two steps seen in different executions with a common beginning
/// touch the same object if and only if the names are equal. The search needs that exactly: taking two objects for one
/// is no safe side (a wakeup tree would be ordered wrongly, and traces lost).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ObjName(pub u32);

impl ObjName {
    const LAZY: u32 = 1 << 31;
    const BY_ADDRESS: u32 = 1 << 23;

    pub(crate) fn new(creator: Tid, number: u32) -> ObjName {
        ObjName(u32::from(creator.0) << 24 | (number & 0xff_ffff))
    }

    /// The name of an object that was made outside the execution, or in a constant, and found before the first event:
    /// there the threads come in the same order in every execution.
    pub(crate) fn found_early(finder: Tid, number: u32) -> ObjName {
        ObjName(ObjName::new(finder, number & (ObjName::BY_ADDRESS - 1)).0 | ObjName::LAZY)
    }

    /// The name of such an object that is found later, by whoever comes first. It holds in all executions if the object
    /// is a `static`; the distance from another one holds in other processes too.
    pub(crate) fn by_address(address: usize) -> ObjName {
        static ANCHOR: u64 = 0;
        let distance = (address.wrapping_sub(std::ptr::from_ref(&ANCHOR).addr()) / align_of::<u64>()) as u32;
        let (low, high) = (distance & (ObjName::BY_ADDRESS - 1), (distance >> 23 & 0x7f) << 24);
        ObjName(ObjName::LAZY | ObjName::BY_ADDRESS | high | low)
    }

    pub(crate) fn is_by_address(self) -> bool {
        let both = ObjName::LAZY | ObjName::BY_ADDRESS;
        self.0 & both == both
    }
}

/// An event of the present execution, by position.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct EventId(pub u32);

impl EventId {
    pub(crate) const NONE: EventId = EventId(u32::MAX);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn exists(self) -> bool {
        self != EventId::NONE
    }
}

/// How an access relates to the others of its object; see the table at the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// No object is touched.
    Nothing,
    Read,
    Shared,
    Add,
    Write,
}

impl Class {
    pub(crate) fn commutes(self, other: Class) -> bool {
        match (self, other) {
            (Class::Nothing, _) | (_, Class::Nothing) => true,
            (Class::Write, _) | (_, Class::Write) => false,
            (a, b) => a == b,
        }
    }

    pub(crate) fn commutes_with_itself(self) -> bool {
        self.commutes(self)
    }
}

/// What a thread is about to do, or did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Choose,
    Load,
    Store,
    Rmw,
    Cas,
    CasWeak,
    Add,
    Sum,
    Lock,
    TryLock,
    Unlock,
    Peek,
    WaitFree,
    Read,
    TryRead,
    ReadUnlock,
    Write,
    TryWrite,
    WriteUnlock,
    Downgrade,
    Enlist,
    Wake,
    NotifyOne,
    NotifyAll,
    Park,
    Unpark,
    Arrive,
    Await,
    Yield,
    /// Local waits: no event, the thread goes on by itself when the state allows.
    Granted,
    Join,
    Passed,
}

impl Kind {
    const ALL: [Kind; 32] = [
        Kind::Choose,
        Kind::Load,
        Kind::Store,
        Kind::Rmw,
        Kind::Cas,
        Kind::CasWeak,
        Kind::Add,
        Kind::Sum,
        Kind::Lock,
        Kind::TryLock,
        Kind::Unlock,
        Kind::Peek,
        Kind::WaitFree,
        Kind::Read,
        Kind::TryRead,
        Kind::ReadUnlock,
        Kind::Write,
        Kind::TryWrite,
        Kind::WriteUnlock,
        Kind::Downgrade,
        Kind::Enlist,
        Kind::Wake,
        Kind::NotifyOne,
        Kind::NotifyAll,
        Kind::Park,
        Kind::Unpark,
        Kind::Arrive,
        Kind::Await,
        Kind::Yield,
        Kind::Granted,
        Kind::Join,
        Kind::Passed,
    ];

    /// Whether steps of this kind always can be taken, and in one way only.
    pub(crate) fn is_plain(self) -> bool {
        matches!(
            self,
            Kind::Load | Kind::Store | Kind::Rmw | Kind::Add | Kind::Unlock | Kind::ReadUnlock | Kind::WriteUnlock
        )
    }

    /// Whether the class of a step of this kind depends on the state that it meets.
    pub(crate) fn depends_on_state(self) -> bool {
        matches!(
            self,
            Kind::Cas
                | Kind::CasWeak
                | Kind::TryLock
                | Kind::TryRead
                | Kind::TryWrite
                | Kind::NotifyOne
                | Kind::NotifyAll
        )
    }

    /// Whether one thread's step of this kind can go in several ways in one state.
    pub(crate) fn may_have_alternatives(self) -> bool {
        matches!(self, Kind::Choose | Kind::CasWeak | Kind::NotifyOne)
    }

    /// The kind with this number, as `as u8` gives it.
    pub(crate) fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(number)).copied()
    }
}

/// What an object is; fixes how its operations block and what they do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ObjKind {
    Atomic,
    Counter,
    Mutex,
    /// May be released by a thread other than its holder.
    BitLock,
    /// Readers enter whenever no writer holds it.
    RwLock,
    /// A queued writer stops new readers.
    FairRwLock,
    Condvar,
    Parker,
    Barrier,
}

/// A pending operation: everything that enabledness and independence depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub kind: Kind,
    pub obj: ObjId,
    /// Operand: value to store, expected value, number of choices, thread to join.
    pub a: u64,
    /// Second operand: the new value of a CAS, the mutex of a condvar wait.
    pub b: u64,
    pub place: Place,
}

/// One access of one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Access {
    pub name: ObjName,
    pub class: Class,
}

impl Access {
    pub(crate) const NONE: Access = Access { name: ObjName(u32::MAX), class: Class::Nothing };

    fn commutes(self, other: Access) -> bool {
        self.name != other.name || self.class.commutes(other.class)
    }
}

/// How many accesses of one step are compared one by one; see `Effect::wild`.
const ACCESSES: usize = 3;

/// What a step touched. A spinning thread that waits for a change may read many objects; beyond three the step is
/// `wild`, taken to conflict with every access that is not a read: safe, and at worst a redundant execution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Effect {
    accesses: [Access; ACCESSES],
    wild: Wildness,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wildness {
    Exact,
    ReadsAnything,
}

impl Effect {
    pub(crate) const NOTHING: Effect = Effect { accesses: [Access::NONE; ACCESSES], wild: Wildness::Exact };

    pub(crate) fn one(access: Access) -> Effect {
        let mut effect = Effect::NOTHING;
        effect.accesses[0] = access;
        effect
    }

    pub(crate) fn reads(names: impl Iterator<Item = ObjName>) -> Effect {
        let mut effect = Effect::NOTHING;
        for (i, name) in names.enumerate() {
            match effect.accesses.get_mut(i) {
                Some(slot) => *slot = Access { name, class: Class::Read },
                None => effect.wild = Wildness::ReadsAnything,
            }
        }
        effect
    }

    fn only_reads(&self) -> bool {
        self.accesses.iter().all(|a| matches!(a.class, Class::Nothing | Class::Read))
    }

    /// Whether two steps commute. They may be of different executions with a common beginning.
    pub(crate) fn commutes(&self, other: &Effect) -> bool {
        if self.wild != Wildness::Exact || other.wild != Wildness::Exact {
            return self.only_reads() && other.only_reads();
        }
        let fits = |a: &Access| a.class == Class::Nothing || other.accesses.iter().all(|&b| a.commutes(b));
        self.accesses.iter().all(fits)
    }

    /// As `commutes`: names hold in all executions, so nothing is uncertain.
    pub(crate) fn surely_commutes(&self, other: &Effect) -> bool {
        self.commutes(other)
    }

    pub(crate) fn accesses(&self) -> &[Access] {
        &self.accesses
    }

    pub(crate) fn is_wild(&self) -> bool {
        self.wild != Wildness::Exact
    }

    /// From what `accesses` and `is_wild` gave; `None` when there are too many accesses.
    pub(crate) fn from_parts(parts: &[Access], wild: bool) -> Option<Effect> {
        let mut effect = Effect::NOTHING;
        effect.accesses.get_mut(..parts.len())?.copy_from_slice(parts);
        if wild {
            effect.wild = Wildness::ReadsAnything;
        }
        Some(effect)
    }
}

/// One scheduling decision with what it did: which thread went, which of its alternatives, and the accesses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub tid: Tid,
    pub kind: Kind,
    pub choice: u16,
    pub effect: Effect,
}
