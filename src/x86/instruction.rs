//! An instruction that accesses memory: it is tried, faults, and is retried until it completes or a signal ends it.
//!
//! # Memory ordering
//! - O1. User data is accessed with relaxed order: what orders it is the user's own business.

use std::fmt;

use crate::phys::Pfn;
use crate::platform::{AtomicWord, Ordering, Platform, enter, remark};

use super::access::{Access, AccessKind, Interrupts, Mode};
use super::address::VirtAddr;
use super::cpu::Cpu;
use super::error_code::ErrorCode;
use super::machine::Machine;
use super::pkru::Pkru;
use super::walk::{PageFault, Translation};

/// An instruction with one access, which lies within one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Loads the word at an address.
    Load(VirtAddr),
    /// Stores the low bytes of a value.
    Store {
        /// Where.
        address: VirtAddr,
        /// What.
        value: u64,
        /// How many bytes of it: 1 to 8.
        bytes: u32,
    },
    /// Fetches the instruction at an address.
    Fetch(VirtAddr),
}

impl Instruction {
    /// Stores a whole word.
    pub const fn store(address: VirtAddr, value: u64) -> Self {
        Self::Store { address, value, bytes: 8 }
    }

    /// The address that it accesses.
    pub const fn address(self) -> VirtAddr {
        match self {
            Self::Load(address) | Self::Fetch(address) | Self::Store { address, .. } => address,
        }
    }

    const fn kind(self) -> AccessKind {
        match self {
            Self::Load(_) => AccessKind::Read,
            Self::Store { .. } => AccessKind::Write,
            Self::Fetch(_) => AccessKind::Fetch,
        }
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(address) => write!(formatter, "load from {address}"),
            Self::Store { address, value, bytes } => {
                write!(formatter, "store {bytes} bytes {value:#x} to {address}")
            }
            Self::Fetch(address) => write!(formatter, "fetch from {address}"),
        }
    }
}

/// What the exception entry saved (`struct pt_regs`), as far as the fault path asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtRegs {
    /// The mode that was interrupted.
    pub mode: Mode,
    /// Whether it took interrupts.
    pub interrupts: Interrupts,
}

/// What the kernel decides about the interrupted instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Resume<S> {
    /// Execute it again.
    Retry,
    /// Deliver this instead of going on: a signal, an error from a fixup.
    Instead(S),
    /// Do not return from the exception: the kernel has a bug, and stops here.
    Never(S),
}

/// Who handles page faults: the kernel.
pub trait ExceptionHandler<P: Platform> {
    /// What may end an instruction other than completing it.
    type Ending;

    /// The root of the tables (CR3).
    fn root(&self) -> Pfn;

    /// The rights of the running thread to the protection keys (PKRU).
    fn pkru(&self) -> Pkru;

    /// Handles a page fault (`exc_page_fault`); `address` is CR2.
    fn exc_page_fault(&mut self, regs: PtRegs, error_code: ErrorCode, address: VirtAddr) -> Resume<Self::Ending>;
}

/// How an instruction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion<S> {
    /// It completed; a load and a fetch have a value.
    Done(Option<u64>),
    /// The kernel ended it.
    Ended(S),
}

/// Faults of one instruction before it counts as stuck: no path of the kernel needs more than a few.
const MOST_FAULTS: usize = 64;

/// Executes one instruction on `cpu`, with the faults that it takes.
///
/// # Panics
/// If the instruction crosses a word, or if the kernel makes it retry for ever.
pub fn execute<P: Platform, H: ExceptionHandler<P>>(
    machine: &Machine<P>,
    cpu: &Cpu<P>,
    mode: Mode,
    instruction: Instruction,
    handler: &mut H,
) -> Completion<H::Ending> {
    let access = Access { kind: instruction.kind(), mode, pkru: handler.pkru() };
    for _ in 0..MOST_FAULTS {
        let fault = match attempt(machine, cpu, instruction, access, handler.root()) {
            Ok(value) => return Completion::Done(value),
            Err(fault) => fault,
        };
        let code = fault.error_code;
        remark::<P>(format_args!("exception #PF: error code {code}, CR2 {}", fault.address));
        remark::<P>(format_args!("asm_exc_page_fault: save the registers, switch to the kernel's stack"));
        let resume = handler.exc_page_fault(PtRegs { mode, interrupts: Interrupts::Enabled }, code, fault.address);
        if let Resume::Never(ending) = resume {
            return Completion::Ended(ending);
        }
        remark::<P>(format_args!("restore the registers, iret"));
        if let Resume::Instead(ending) = resume {
            return Completion::Ended(ending);
        }
    }
    panic!("D56: {instruction:?} faulted {MOST_FAULTS} times without progress")
}

/// Translates and accesses as one uninterrupted instruction.
fn attempt<P: Platform>(
    machine: &Machine<P>,
    cpu: &Cpu<P>,
    instruction: Instruction,
    access: Access,
    root: Pfn,
) -> Result<Option<u64>, PageFault> {
    enter::<P>("instruction", format_args!("{instruction}")).run(
        || {
            let mut uninterrupted = cpu.begin_instruction();
            let translation = uninterrupted.translate((machine, cpu.id(), root), instruction.address(), access)?;
            let value = perform(machine, instruction, translation);
            cpu.note_access(machine);
            Ok(value)
        },
        |result| match result {
            Ok(Some(value)) => format!("{value:#x}"),
            Ok(None) => "completed".to_owned(),
            Err(_) => "page fault".to_owned(),
        },
    )
}

fn perform<P: Platform>(machine: &Machine<P>, instruction: Instruction, at: Translation) -> Option<u64> {
    let word = machine.memory().word(at.pfn, (at.offset / 8) as usize);
    let shift = at.offset % 8 * 8;
    match instruction {
        // ORDER none: O1.
        Instruction::Load(_) | Instruction::Fetch(_) => Some(word.load(Ordering::Relaxed) >> shift),
        Instruction::Store { value, bytes, .. } => {
            assert!((1..=8).contains(&bytes) && shift / 8 + u64::from(bytes) <= 8, "{instruction:?} crosses a word");
            store(word, value, shift, bytes);
            None
        }
    }
}

fn store<W: AtomicWord>(word: &W, value: u64, shift: u64, bytes: u32) {
    if bytes == 8 {
        // ORDER none: O1.
        return word.store(value, Ordering::Relaxed);
    }
    let mask = ((1 << (bytes * 8)) - 1) << shift;
    let value = value << shift & mask;
    // ORDER none: O1, here and below. The other bytes may change meanwhile, so the store is an update.
    let mut old = word.load(Ordering::Relaxed);
    while let Err(current) = word.compare_exchange(old, old & !mask | value, Ordering::Relaxed) {
        old = current;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn a_narrow_store_keeps_the_other_bytes() {
        let word = AtomicU64::new(0x8877_6655_4433_2211);
        store(&word, 0xbbaa, 16, 2);
        assert_eq!(word.load(Ordering::Relaxed), 0x8877_6655_bbaa_2211);
        store(&word, 7, 0, 8);
        assert_eq!(word.load(Ordering::Relaxed), 7);
    }
}
