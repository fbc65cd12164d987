//! The error code that hardware pushes with a page fault.

use std::fmt;

use bitflags::bitflags;

bitflags! {
    /// Why a page fault happened (`enum x86_pf_error_code`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ErrorCode: u64 {
        /// The entry was present: the rights were the problem.
        const PROTECTION = 1;
        /// It was a write.
        const WRITE = 1 << 1;
        /// It came from user mode.
        const USER = 1 << 2;
        /// A reserved bit was set in an entry.
        const RESERVED = 1 << 3;
        /// It was an instruction fetch.
        const FETCH = 1 << 4;
        /// A protection key forbade it.
        const KEY = 1 << 5;
        /// It was a shadow-stack access.
        const SHADOW_STACK = 1 << 6;
        /// An SGX enclave forbade it.
        const SGX = 1 << 15;
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.contains(Self::USER) { "user" } else { "kernel" };
        let kind = if self.contains(Self::FETCH) {
            "fetch"
        } else if self.contains(Self::WRITE) {
            "write"
        } else {
            "read"
        };
        let why = if self.contains(Self::RESERVED) {
            "reserved bit set"
        } else if self.contains(Self::PROTECTION) {
            "protection"
        } else {
            "not present"
        };
        write!(formatter, "{:#x} ({mode} {kind}, {why})", self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_as_sentences() {
        assert_eq!((ErrorCode::WRITE | ErrorCode::USER).to_string(), "0x6 (user write, not present)");
        assert_eq!((ErrorCode::FETCH | ErrorCode::PROTECTION).to_string(), "0x11 (kernel fetch, protection)");
        assert_eq!((ErrorCode::RESERVED | ErrorCode::USER).to_string(), "0xc (user read, reserved bit set)");
    }
}
