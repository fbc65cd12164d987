//! What the fault path knows of the access that faulted.

use std::fmt;

use bitflags::bitflags;

bitflags! {
    /// `enum fault_flag`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct FaultFlags: u32 {
        /// The access writes.
        const WRITE = 1;
        /// The file system allows the write (internal to shared file mappings).
        const MKWRITE = 1 << 1;
        /// The fault may drop the fault lock and be tried again.
        const ALLOW_RETRY = 1 << 2;
        /// It is not to wait: it returns RETRY at once and keeps the lock.
        const RETRY_NOWAIT = 1 << 3;
        /// A fatal signal may interrupt it.
        const KILLABLE = 1 << 4;
        /// It has been tried before.
        const TRIED = 1 << 5;
        /// The access came from user mode.
        const USER = 1 << 6;
        /// The access is to another task's memory.
        const REMOTE = 1 << 7;
        /// The access fetches an instruction.
        const INSTRUCTION = 1 << 8;
        /// Any signal may interrupt it.
        const INTERRUPTIBLE = 1 << 9;
        /// The copy-on-write of a page is to be broken without a write.
        const UNSHARE = 1 << 10;
        /// The fault lock is the lock of the VMA. (Bit 11, whether `orig_pte` was read, is an `Option` here.)
        const VMA_LOCK = 1 << 12;
    }
}

impl FaultFlags {
    /// What every fault of a task starts with (`FAULT_FLAG_DEFAULT`).
    pub const DEFAULT: Self = Self::ALLOW_RETRY.union(Self::KILLABLE).union(Self::INTERRUPTIBLE);

    /// Whether waiting for a folio or for I/O may drop the fault lock (`fault_flag_allow_retry_first`): the first try
    /// may, a later one waits with the lock held.
    pub fn is_first_try(self) -> bool {
        self.contains(Self::ALLOW_RETRY) && !self.contains(Self::TRIED)
    }
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
