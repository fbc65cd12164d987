//! Random programs, small enough to enumerate.

use super::program::{ATOMICS, Ins, LOCKS, Program, THREADS};

/// Atomics that most instructions are about; the others are there for those who read many.
const USUAL_ATOMICS: usize = 2;

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
#[derive(Clone, Copy, PartialEq, Eq)]
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
    WeakCas,
    Spins,
    WideSpins,
    Barrier,
    Once,
    BitLock,
}

const FIRST_THEMES: [Theme; 10] = [
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

const LATER_THEMES: [Theme; 6] =
    [Theme::WeakCas, Theme::Spins, Theme::WideSpins, Theme::Barrier, Theme::Once, Theme::BitLock];

/// Which programs are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// Threads of one main; one failure of weak CAS, no spurious wake-up.
    Flat,
    /// Besides, threads that start threads, spin hints, barrier, `Once`, bit lock, and an environment that varies.
    Nested,
}

impl Family {
    /// The program of this number.
    pub fn program(self, seed: u64) -> Program {
        match self {
            Family::Flat => flat(seed),
            Family::Nested => nested(seed),
        }
    }
}

/// Parts of the code of one thread, so that all threads together can be enumerated.
fn most_parts(threads: usize) -> usize {
    match threads {
        2 => 5,
        3 => 3,
        _ => 2,
    }
}

fn flat(seed: u64) -> Program {
    let mut rng = Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let themes: Vec<Theme> = (0..1 + rng.below(3)).map(|_| FIRST_THEMES[rng.below(FIRST_THEMES.len())]).collect();
    let threads = 2 + rng.below(3);
    let code = |rng: &mut Rng| {
        let mut code = Vec::new();
        for _ in 0..1 + rng.below(most_parts(threads)) {
            append_some(&mut code, &themes, threads, rng);
        }
        code
    };
    Program::new((0..threads).map(|_| code(&mut rng)).collect())
}

fn nested(seed: u64) -> Program {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995);
    let threads = 2 + rng.below(THREADS - 1);
    // `parent[t]` starts `t`; as many as the number of threads means that it is there from the beginning.
    let parent = |rng: &mut Rng, t: usize| if t > 0 && rng.below(2) == 0 { rng.below(t) } else { threads };
    let parents: Vec<usize> = (0..threads).map(|t| parent(&mut rng, t)).collect();
    let has_children = parents.iter().any(|&p| p < threads);
    let theme = |rng: &mut Rng| match rng.below(2) {
        0 => LATER_THEMES[rng.below(LATER_THEMES.len())],
        _ => FIRST_THEMES[rng.below(FIRST_THEMES.len())],
    };
    let mut themes: Vec<Theme> = (0..1 + rng.below(3)).map(|_| theme(&mut rng)).collect();
    if has_children {
        // Only the parent has a handle to unpark its child with.
        themes.retain(|&t| t != Theme::Parking);
    }
    themes.push(Theme::Atomics);
    let code = |rng: &mut Rng, t: usize| {
        let mut code = Vec::new();
        let parts = 1 + rng.below(most_parts(threads));
        let children = (t + 1..threads).filter(|&c| parents[c] == t);
        let spans: Vec<_> = children.map(|c| (c, rng.below(parts + 1), rng.below(parts + 1))).collect();
        for part in 0..=parts {
            let starts = spans.iter().filter(|s| s.1.min(s.2) == part).map(|s| Ins::Spawn(s.0));
            code.extend(starts);
            let ends = spans.iter().filter(|s| s.1.max(s.2) == part).map(|s| Ins::Join(s.0));
            code.extend(ends);
            if part < parts {
                append_some(&mut code, &themes, threads, rng);
            }
        }
        code
    };
    let threads: Vec<_> = (0..threads).map(|t| code(&mut rng, t)).collect();
    let barrier = 1 + rng.below(3);
    Program { threads, barrier, weak_failures: rng.below(4) as u32, spurious_wakeups: rng.below(3) as u32 }
}

fn append_some(code: &mut Vec<Ins>, themes: &[Theme], threads: usize, rng: &mut Rng) {
    let theme = if rng.below(4) == 0 { Theme::Atomics } else { themes[rng.below(themes.len())] };
    append(code, theme, threads, rng, 0);
}

fn append(code: &mut Vec<Ins>, theme: Theme, threads: usize, rng: &mut Rng, nesting: usize) {
    let x = rng.below(USUAL_ATOMICS);
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
            0 => code.push(Ins::AwaitAll(USUAL_ATOMICS, 1)),
            1 => code.push(Ins::Store(x, 1)),
            _ => code.push(Ins::Await(x, 1)),
        },
        Theme::Parking => code.push(if rng.below(2) == 0 { Ins::Park } else { Ins::Unpark(rng.below(threads)) }),
        Theme::WeakCas => code.push(Ins::CasWeak(x, rng.below(2) as u8, 1 + rng.below(2) as u8)),
        Theme::Spins => code.push(match rng.below(6) {
            0 => Ins::SpinAll(USUAL_ATOMICS, 1),
            1 | 2 => Ins::Store(x, 1),
            3 => Ins::SpinCas(x, rng.below(2) as u8, 1 + rng.below(2) as u8),
            _ => Ins::Spin(x, 1),
        }),
        Theme::WideSpins => code.push(match rng.below(6) {
            0 => Ins::SpinAll(ATOMICS, 0),
            1 => Ins::AwaitAll(ATOMICS, 0),
            2 | 3 => Ins::Store(rng.below(ATOMICS), 1),
            _ => Ins::Store(rng.below(ATOMICS), 0),
        }),
        Theme::Barrier => code.push(Ins::Arrive),
        Theme::Once => code.push(if rng.below(3) == 0 { Ins::IsDone } else { Ins::Once }),
        Theme::BitLock => code.push(match rng.below(8) {
            0 | 1 => Ins::BitLock,
            2 | 3 => Ins::BitUnlock,
            4 | 5 => Ins::BitTry,
            6 => Ins::BitWait,
            _ => Ins::IsBitLocked,
        }),
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
