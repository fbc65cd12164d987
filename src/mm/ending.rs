//! What may end an instruction other than completing it: a signal, an error from a fixup, an oops.

use std::fmt;

use crate::x86::VirtAddr;

/// What may end an instruction other than completing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The task gets SIGSEGV with this code and address.
    Sigsegv(FaultCode, VirtAddr),
    /// The task gets SIGBUS with this code and address.
    Sigbus(BusCode, VirtAddr),
    /// The out-of-memory killer is asked to find a victim.
    OutOfMemory,
    /// A fatal signal was pending, and the task dies of it on its way back to user mode.
    Killed,
    /// The kernel's copy from or to user memory returns `-EFAULT`.
    Efault,
    /// The kernel has a bug.
    Oops(Oops),
}

/// Why SIGSEGV was sent (`si_code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCode {
    /// Nothing is mapped there (`SEGV_MAPERR`).
    MapErr,
    /// The mapping does not allow it (`SEGV_ACCERR`).
    AccErr,
    /// A protection key forbids it (`SEGV_PKUERR`).
    PkuErr {
        /// The key of the mapping (`si_pkey`).
        pkey: u32,
    },
}

/// Why SIGBUS was sent (`si_code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusCode {
    /// There is nothing behind the mapping (`BUS_ADRERR`).
    AdrErr,
    /// The memory there is broken (`BUS_MCEERR_AR`): a block of `1 << lsb` bytes.
    McErr {
        /// The lowest valid bit of the address (`si_addr_lsb`).
        lsb: u32,
    },
}

/// Why the kernel oopses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oops {
    /// It executed user memory.
    ExecutedUserMemory,
    /// It accessed user memory without saying so (SMAP).
    UnannouncedUserAccess,
    /// A reserved bit was set in an entry.
    CorruptTable,
    /// The CPU itself accessed a bad address for a user (a descriptor table, say).
    ImplicitAccess(VirtAddr),
    /// It accessed a bad address at an instruction that nobody expected to fault.
    BadAddress(VirtAddr),
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sigsegv(FaultCode::MapErr, address) => {
                write!(formatter, "SIGSEGV, SEGV_MAPERR at {address}: nothing is mapped there")
            }
            Self::Sigsegv(FaultCode::AccErr, address) => {
                write!(formatter, "SIGSEGV, SEGV_ACCERR at {address}: the mapping does not allow it")
            }
            Self::Sigsegv(FaultCode::PkuErr { pkey }, address) => {
                write!(formatter, "SIGSEGV, SEGV_PKUERR at {address}: protection key {pkey} forbids it")
            }
            Self::Sigbus(BusCode::AdrErr, address) => {
                write!(formatter, "SIGBUS, BUS_ADRERR at {address}: nothing is behind the mapping")
            }
            Self::Sigbus(BusCode::McErr { lsb }, address) => {
                write!(formatter, "SIGBUS, BUS_MCEERR_AR at {address}: {} bytes of memory are broken", 1_u64 << lsb)
            }
            Self::OutOfMemory => write!(formatter, "out of memory: the kernel looks for a task to kill"),
            Self::Killed => write!(formatter, "a fatal signal kills the task"),
            Self::Efault => write!(formatter, "the kernel's copy returns -EFAULT"),
            Self::Oops(oops) => write!(formatter, "the kernel oopses: {oops}"),
        }
    }
}

impl fmt::Display for Oops {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExecutedUserMemory => write!(formatter, "it tried to execute user memory"),
            Self::UnannouncedUserAccess => write!(formatter, "supervisor access prevention stopped it"),
            Self::CorruptTable => write!(formatter, "a page table is corrupt"),
            Self::ImplicitAccess(address) => {
                write!(formatter, "the CPU faulted at {address} on its own account in user mode")
            }
            Self::BadAddress(address) => write!(formatter, "unable to handle the page fault at {address}"),
        }
    }
}
