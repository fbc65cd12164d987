//! Small programs: the one thing that the engine and the oracle share.

/// One instruction. The first number is which object, from a small fixed set of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ins {
    Load(usize),
    Store(usize, u8),
    FetchAdd(usize),
    Cas(usize, u8, u8),
    CasWeak(usize, u8, u8),
    /// Addition to a counter, and its sum.
    Bump(usize),
    Sum(usize),
    Lock(usize),
    /// Goes on at the instruction given when it fails.
    TryLock(usize, usize),
    Unlock(usize),
    /// Lock 0 prefers readers, lock 1 is fair.
    Read(usize),
    TryRead(usize, usize),
    ReadUnlock(usize),
    Write(usize),
    TryWrite(usize, usize),
    WriteUnlock(usize),
    Downgrade(usize),
    /// Waits on the condvar with mutex 0, which the thread holds.
    Wait,
    WaitTimeout,
    NotifyOne,
    NotifyAll,
    Choose(u8),
    /// Waits until the atomic has the value.
    Await(usize, u8),
    /// Waits until so many atomics all have the value; read one after the other.
    AwaitAll(usize, u8),
    Park,
    Unpark(usize),
    IsLocked(usize),
    /// Starts a thread of the program, which nobody else starts, and waits for its end.
    Spawn(usize),
    Join(usize),
    /// Loads the atomic, and again after a spin hint, until it has the value.
    Spin(usize, u8),
    /// The same with so many atomics, one after the other.
    SpinAll(usize, u8),
    /// Tries the CAS, and again after a spin hint, until it succeeds.
    SpinCas(usize, u8, u8),
    /// Waits at the barrier.
    Arrive,
    /// Calls the `Once`, whose function adds to atomic 0; and whether it is done.
    Once,
    IsDone,
    /// The bit lock has no owner: any thread may release it at any time.
    BitLock,
    BitTry,
    BitUnlock,
    BitWait,
    IsBitLocked,
}

/// How many objects of each kind a program has.
pub const ATOMICS: usize = 5;
pub const LOCKS: usize = 2;
/// Most threads of a program.
pub const THREADS: usize = 4;

/// The code of each thread, and what the environment may do to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    pub threads: Vec<Vec<Ins>>,
    /// Threads that pass the barrier together.
    pub barrier: usize,
    /// How often the weak CAS of each thread may fail without a reason.
    pub weak_failures: u32,
    /// How often each thread may wake from the condvar without a notification.
    pub spurious_wakeups: u32,
}

impl Program {
    /// A program in the surroundings that a check has by default.
    pub fn new(threads: Vec<Vec<Ins>>) -> Program {
        Program { threads, barrier: 2, weak_failures: 1, spurious_wakeups: 0 }
    }

    pub fn instructions(&self) -> impl Iterator<Item = Ins> {
        self.threads.iter().flatten().copied()
    }

    /// Whether the thread is there from the beginning: no other thread of the program starts it.
    pub fn starts_by_itself(&self, t: usize) -> bool {
        self.instructions().all(|ins| ins != Ins::Spawn(t))
    }
}
