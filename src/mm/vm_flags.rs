//! Properties of a VMA (`include/linux/mm.h`, `VM_*`), and the entry flags that its rights come to
//! (`arch/x86/mm/pgprot.c`, `protection_map`).

use bitflags::bitflags;

use crate::platform::Word;
use crate::x86::EntryFlags;

bitflags! {
    /// Properties of a VMA (`vm_flags_t`), with the bits that Linux 6.12 has on x86-64.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct VmFlags: u64 {
        /// May be read (`VM_READ`).
        const READ = 0x1;
        /// May be written.
        const WRITE = 0x2;
        /// May be executed.
        const EXEC = 0x4;
        /// Stores are seen by others who map the same object.
        const SHARED = 0x8;
        /// `mprotect` may allow reads.
        const MAYREAD = 0x10;
        /// `mprotect` may allow writes.
        const MAYWRITE = 0x20;
        /// `mprotect` may allow execution.
        const MAYEXEC = 0x40;
        /// It may become shared.
        const MAYSHARE = 0x80;
        /// A stack: an access below it lets it grow.
        const GROWSDOWN = 0x100;
        /// Userfaultfd is told of missing pages.
        const UFFD_MISSING = 0x200;
        /// It maps raw frames, which are not counted.
        const PFNMAP = 0x400;
        /// Userfaultfd is told of writes to protected pages.
        const UFFD_WP = 0x1000;
        /// Its pages stay in memory (`mlock`).
        const LOCKED = 0x2000;
        /// It maps a device's registers.
        const IO = 0x4000;
        /// Sequential reads are expected (`MADV_SEQUENTIAL`).
        const SEQ_READ = 0x8000;
        /// Random reads are expected (`MADV_RANDOM`).
        const RAND_READ = 0x10000;
        /// `fork` does not copy it.
        const DONTCOPY = 0x20000;
        /// `mremap` may not enlarge it.
        const DONTEXPAND = 0x40000;
        /// Pages are locked when they fault in (`MCL_ONFAULT`).
        const LOCKONFAULT = 0x80000;
        /// Its pages count as committed memory.
        const ACCOUNT = 0x100000;
        /// They do not, whatever the policy says.
        const NORESERVE = 0x200000;
        /// It maps a hugetlb file.
        const HUGETLB = 0x400000;
        /// Faults on it are synchronous with the file system (`MAP_SYNC`).
        const SYNC = 0x800000;
        /// `fork` gives the child zeros.
        const WIPEONFORK = 0x2000000;
        /// It is left out of core dumps.
        const DONTDUMP = 0x4000000;
        /// Everything in it counts as soft-dirty.
        const SOFTDIRTY = 0x8000000;
        /// It may map both pages and raw frames.
        const MIXEDMAP = 0x10000000;
        /// Huge pages are wanted (`MADV_HUGEPAGE`).
        const HUGEPAGE = 0x20000000;
        /// Huge pages are not wanted (`MADV_NOHUGEPAGE`).
        const NOHUGEPAGE = 0x40000000;
        /// Equal pages may be merged (KSM).
        const MERGEABLE = 0x80000000;
        /// The protection key, four bits (`VM_PKEY_BIT0` to `3`).
        const PKEY = 0xf << 32;
        /// A shadow stack: only the CPU's calls and returns may write it.
        const SHADOW_STACK = 1 << 37;
        /// Userfaultfd is told of pages that are in the page cache but not mapped.
        const UFFD_MINOR = 1 << 38;
        /// Its pages may be dropped under pressure (`MAP_DROPPABLE`).
        const DROPPABLE = 1 << 40;
    }
}

/// What a VMA's object does about the first write to a page of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteNotify {
    /// Nothing: a shared writable page is entered writable at once.
    No,
    /// It wants to know (`vma_wants_writenotify`): the page is entered read-only, and the write faults.
    Yes,
}

impl VmFlags {
    /// Reads, writes or execution are allowed (`VM_ACCESS_FLAGS`).
    pub const ACCESS: Self = Self::READ.union(Self::WRITE).union(Self::EXEC);

    /// The protection key (`vma_pkey`).
    pub const fn pkey(self) -> u32 {
        (self.intersection(Self::PKEY).bits() >> 32) as u32
    }

    /// The same with another protection key.
    ///
    /// # Panics
    /// If there is no such key: there are 16.
    #[must_use]
    pub const fn with_pkey(self, pkey: u32) -> Self {
        assert!(pkey < 16, "x86 has the protection keys 0 to 15");
        Self::from_bits_retain(self.difference(Self::PKEY).bits() | (pkey as u64) << 32)
    }

    /// Any access is allowed (`vma_is_accessible`).
    pub const fn is_accessible(self) -> bool {
        self.intersects(Self::ACCESS)
    }

    /// A private mapping that may be written copies on write (`is_cow_mapping`).
    pub const fn is_cow(self) -> bool {
        self.contains(Self::MAYWRITE) && !self.contains(Self::SHARED)
    }

    /// The flags of an entry that maps a page with these rights (`vm_get_page_prot`; `vma_set_page_prot`).
    ///
    /// A private page is never entered writable: a write is to fault first, and to copy. On x86 a page that may be
    /// written or executed may be read.
    pub fn page_prot(self, notify: WriteNotify) -> EntryFlags {
        let key = EntryFlags::of_key(self.pkey());
        if !self.is_accessible() {
            return EntryFlags::PROT_NONE | EntryFlags::ACCESSED | key;
        }
        let mut prot = EntryFlags::PRESENT | EntryFlags::USER | EntryFlags::ACCESSED | key;
        prot.set(EntryFlags::WRITABLE, self.contains(Self::SHARED | Self::WRITE) && notify == WriteNotify::No);
        prot.set(EntryFlags::NO_EXECUTE, !self.contains(Self::EXEC));
        prot
    }
}

impl Word for VmFlags {
    fn into_word(self) -> u64 {
        self.bits()
    }

    fn from_word(word: u64) -> Self {
        Self::from_bits_retain(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The low bits and NX of each entry of x86's `protection_map`, by rights (bit 0 read, 1 write, 2 execute).
    const NX: u64 = 1 << 63;
    const PRIVATE: [u64; 8] = [0x120, NX | 0x25, NX | 0x25, NX | 0x25, 0x25, 0x25, 0x25, 0x25];
    const SHARED: [u64; 8] = [0x120, NX | 0x25, NX | 0x27, NX | 0x27, 0x25, 0x25, 0x27, 0x27];

    #[test]
    fn rights_are_entered_as_in_linuxs_table() {
        for rights in 0..8 {
            let flags = VmFlags::from_bits_retain(rights as u64);
            assert_eq!(flags.page_prot(WriteNotify::No).bits(), PRIVATE[rights], "private {rights:#b}");
            let shared = flags | VmFlags::SHARED;
            assert_eq!(shared.page_prot(WriteNotify::No).bits(), SHARED[rights], "shared {rights:#b}");
            assert_eq!(shared.page_prot(WriteNotify::Yes).bits(), PRIVATE[rights], "shared, notified {rights:#b}");
        }
    }

    #[test]
    fn the_key_stands_in_the_flags_and_in_the_entry() {
        let flags = (VmFlags::READ | VmFlags::PKEY).with_pkey(5);
        assert_eq!(flags.pkey(), 5);
        assert_eq!(flags.page_prot(WriteNotify::No).bits(), NX | 5 << 59 | 0x25);
    }
}
