//! One access to memory: what it does and in which mode.

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
}

/// What an access does and in which mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What it does.
    pub kind: AccessKind,
    /// The mode.
    pub mode: Mode,
}
