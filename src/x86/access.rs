//! One access to memory: what it does and in which mode.

use super::pkru::Pkru;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// It reads.
    Read,
    /// It writes.
    Write,
    /// It fetches an instruction.
    Fetch,
}

/// The mode that the CPU is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A user's code.
    User,
    /// The kernel, on a user's behalf, at an instruction that the exception table lists (`copy_to_user`).
    KernelUserCopy,
    /// The kernel, at an instruction that nobody expected to fault.
    Kernel,
    /// As `Kernel`, between `stac` and `clac`: it may touch user memory, but has no way out if that faults.
    KernelAnnounced,
    /// The kernel, at an instruction that the exception table lists, but not one for user memory
    /// (`copy_from_kernel_nofault`).
    KernelProbe,
}

impl Mode {
    /// Whether the CPU is in user mode.
    pub const fn is_user(self) -> bool {
        match self {
            Self::User => true,
            Self::KernelUserCopy | Self::Kernel | Self::KernelAnnounced | Self::KernelProbe => false,
        }
    }

    /// Whether SMAP lets the kernel touch user memory (EFLAGS.AC). What the CPU does on its own account in user mode
    /// counts as the kernel's, and is not announced.
    pub const fn announces_user_access(self) -> bool {
        match self {
            Self::KernelUserCopy | Self::KernelAnnounced => true,
            Self::User | Self::Kernel | Self::KernelProbe => false,
        }
    }

    /// Whether the exception table lists the instruction.
    pub const fn has_fixup(self) -> bool {
        match self {
            Self::KernelUserCopy | Self::KernelProbe => true,
            Self::User | Self::Kernel | Self::KernelAnnounced => false,
        }
    }
}

/// Whether the CPU takes interrupts (EFLAGS.IF).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupts {
    /// It does.
    Enabled,
    /// It does not: the kernel is in a place where it must not sleep.
    Disabled,
}

/// What an access does, in which mode, and with which rights to the protection keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What it does.
    pub kind: AccessKind,
    /// The mode.
    pub mode: Mode,
    /// The rights to the protection keys.
    pub pkru: Pkru,
}
