//! What the fault path knows of the access that faulted.

use std::fmt;

use bitflags::bitflags;

bitflags! {
    /// `enum fault_flag`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct FaultFlags: u32 {
        /// The access writes.
        const WRITE = 1;
        /// The fault may drop the fault lock and be tried again.
        const ALLOW_RETRY = 1 << 2;
        /// A fatal signal may interrupt it.
        const KILLABLE = 1 << 4;
        /// It has been tried before.
        const TRIED = 1 << 5;
        /// The access came from user mode.
        const USER = 1 << 6;
        /// The access fetches an instruction.
        const INSTRUCTION = 1 << 8;
        /// Any signal may interrupt it.
        const INTERRUPTIBLE = 1 << 9;
        /// The copy-on-write of a page is to be broken without a write.
        const UNSHARE = 1 << 10;
    }
}

impl FaultFlags {
    /// What every fault of a task starts with (`FAULT_FLAG_DEFAULT`).
    pub const DEFAULT: Self = Self::ALLOW_RETRY.union(Self::KILLABLE).union(Self::INTERRUPTIBLE);
}

impl fmt::Display for FaultFlags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = *self - Self::DEFAULT;
        let default = if self.contains(Self::DEFAULT) { "DEFAULT" } else { "" };
        let bar = if own.is_empty() || default.is_empty() { "" } else { "|" };
        let own: Vec<_> = own.iter_names().map(|(name, _)| name).collect();
        write!(formatter, "{}{bar}{default}", own.join("|"))
    }
}
