//! Small random programs: the one thing that the engine and the oracle share.

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
    /// Waits until both atomics have the value; read one after the other.
    AwaitBoth(u8),
    Park,
    Unpark(usize),
    IsLocked(usize),
}

/// How many objects of each kind a program has.
pub const ATOMICS: usize = 2;
pub const LOCKS: usize = 2;

/// The code of each thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    pub threads: Vec<Vec<Ins>>,
}

/// SplitMix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Which instructions a program may use; each random program has a few of these themes.
#[derive(Clone, Copy)]
enum Theme {
    Atomics,
    Cas,
    Counters,
    Mutexes,
    RwLocks,
    FairLocks,
    Condvar,
    Choices,
    Awaits,
    Parking,
}

const THEMES: [Theme; 10] = [
    Theme::Atomics,
    Theme::Cas,
    Theme::Counters,
    Theme::Mutexes,
    Theme::RwLocks,
    Theme::FairLocks,
    Theme::Condvar,
    Theme::Choices,
    Theme::Awaits,
    Theme::Parking,
];

impl Program {
    /// A random program, small enough to enumerate.
    pub fn random(seed: u64) -> Program {
        let mut rng = Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let themes: Vec<Theme> = (0..1 + rng.below(3)).map(|_| THEMES[rng.below(THEMES.len())]).collect();
        let threads = 2 + rng.below(3);
        let most = match threads {
            2 => 5,
            3 => 3,
            _ => 2,
        };
        let code = |rng: &mut Rng| {
            let mut code = Vec::new();
            for _ in 0..1 + rng.below(most) {
                let theme = if rng.below(4) == 0 { Theme::Atomics } else { themes[rng.below(themes.len())] };
                append(&mut code, theme, threads, rng, 0);
            }
            code
        };
        Program { threads: (0..threads).map(|_| code(&mut rng)).collect() }
    }
}

fn append(code: &mut Vec<Ins>, theme: Theme, threads: usize, rng: &mut Rng, nesting: usize) {
    let x = rng.below(ATOMICS);
    match theme {
        Theme::Atomics => code.push(match rng.below(4) {
            0 | 1 => Ins::Load(x),
            2 => Ins::Store(x, 1 + rng.below(2) as u8),
            _ => Ins::FetchAdd(x),
        }),
        Theme::Cas => {
            let (old, new) = (rng.below(3) as u8, 1 + rng.below(2) as u8);
            code.push(if rng.below(3) == 0 { Ins::CasWeak(x, old, new) } else { Ins::Cas(x, old, new) });
        }
        Theme::Counters => code.push(if rng.below(3) == 0 { Ins::Sum(x) } else { Ins::Bump(x) }),
        Theme::Mutexes => mutex_section(code, threads, rng, nesting),
        Theme::RwLocks => rw_section(code, 0, threads, rng, nesting),
        Theme::FairLocks => rw_section(code, 1, threads, rng, nesting),
        Theme::Condvar => condvar(code, rng),
        Theme::Choices => code.push(Ins::Choose(2 + rng.below(2) as u8)),
        Theme::Awaits => match rng.below(4) {
            0 => code.push(Ins::AwaitBoth(1)),
            1 => code.push(Ins::Store(x, 1)),
            _ => code.push(Ins::Await(x, 1)),
        },
        Theme::Parking => code.push(if rng.below(2) == 0 { Ins::Park } else { Ins::Unpark(rng.below(threads)) }),
    }
}

fn body(code: &mut Vec<Ins>, threads: usize, rng: &mut Rng, nesting: usize) {
    if nesting == 0 && rng.below(3) == 0 {
        let theme = [Theme::Mutexes, Theme::RwLocks, Theme::FairLocks, Theme::Cas][rng.below(4)];
        append(code, theme, threads, rng, 1);
    } else if rng.below(2) == 0 {
        append(code, Theme::Atomics, threads, rng, 1);
    }
}

fn mutex_section(code: &mut Vec<Ins>, threads: usize, rng: &mut Rng, nesting: usize) {
    let m = rng.below(LOCKS);
    if rng.below(8) == 0 {
        code.push(Ins::IsLocked(m));
        return;
    }
    let at = code.len();
    let tries = rng.below(3) == 0;
    code.push(Ins::Lock(m));
    body(code, threads, rng, nesting);
    code.push(Ins::Unlock(m));
    if tries {
        code[at] = Ins::TryLock(m, code.len());
    }
}

fn rw_section(code: &mut Vec<Ins>, lock: usize, threads: usize, rng: &mut Rng, nesting: usize) {
    let at = code.len();
    let kind = rng.below(8);
    code.push(if kind < 4 { Ins::Read(lock) } else { Ins::Write(lock) });
    body(code, threads, rng, nesting);
    if kind == 7 {
        code.push(Ins::Downgrade(lock));
        code.push(Ins::ReadUnlock(lock));
    } else {
        code.push(if kind < 4 { Ins::ReadUnlock(lock) } else { Ins::WriteUnlock(lock) });
    }
    match kind {
        3 => code[at] = Ins::TryRead(lock, code.len()),
        6 => code[at] = Ins::TryWrite(lock, code.len()),
        _ => {}
    }
}

fn condvar(code: &mut Vec<Ins>, rng: &mut Rng) {
    match rng.below(5) {
        0 | 1 => {
            code.push(Ins::Lock(0));
            code.push(if rng.below(3) == 0 { Ins::WaitTimeout } else { Ins::Wait });
            code.push(Ins::Unlock(0));
        }
        2 => code.push(Ins::NotifyOne),
        3 => code.push(Ins::NotifyAll),
        _ => {
            code.push(Ins::Lock(0));
            code.push(Ins::NotifyOne);
            code.push(Ins::Unlock(0));
        }
    }
}
