//! The rights of a thread to the protection keys (Intel SDM volume 3, 4.6.2 "Protection Keys").

use super::access::AccessKind;

/// The register PKRU: two bits a key, access-disable below write-disable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pkru(u32);

impl Pkru {
    /// Every key may be used.
    pub const ALL: Self = Self(0);

    /// The register with this value.
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether data behind a key may be used like this. Fetches are not subject to keys.
    pub const fn allows(self, key: u32, kind: AccessKind) -> bool {
        let bits = self.0 >> (key * 2) & 0b11;
        match kind {
            AccessKind::Read => bits & 0b01 == 0,
            AccessKind::Write => bits == 0,
            AccessKind::Fetch => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_forbids_data_but_not_code() {
        use AccessKind::{Fetch, Read, Write};
        for (pkru, kind, allowed) in [
            (0b01 << 6, Read, false),
            (0b10 << 6, Read, true),
            (0b10 << 6, Write, false),
            (0b01 << 6, Write, false),
            (0b11 << 6, Fetch, true),
            (0b11 << 4, Write, true),
        ] {
            assert_eq!(Pkru::new(pkru).allows(3, kind), allowed, "{pkru:#b} {kind:?}");
        }
    }
}
