//! What the users of a world know of its files: which addresses show which pages, and what stood there at first.
//!
//! A word of a file that is mapped shared is one word, whichever address shows it: the ghost knows it by an address of
//! its own. A word of a private mapping is its own word from the first store on; until then it is the file's.

use crate::mm::{AddressSpace, file_word};
use crate::phys::FileId;
use crate::platform::{Arc, Geometry, Platform};
use crate::x86::VirtAddr;

/// Who sees the stores to a mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody who maps it.
    Shared,
    /// The mapping alone.
    Private,
}

/// A range of addresses that shows a file.
#[derive(Clone, Copy, Debug)]
pub struct Shows {
    /// The first address.
    pub start: VirtAddr,
    /// The first address after it.
    pub end: VirtAddr,
    /// The file.
    pub file: FileId,
    /// The page of the file that the first address shows.
    pub first: u64,
    /// Who sees its stores.
    pub sharing: Sharing,
    /// Pages that the disk has of the file at first.
    pub stored_pages: u64,
    /// The shape of pages.
    pub geometry: Geometry,
}

/// The files of a world, and what shows them.
#[derive(Debug)]
pub struct Files<P: Platform> {
    /// Every file, by its number.
    pub files: Vec<Arc<AddressSpace<P>>>,
    /// Every range that showed one at some time. Ranges that show different pages do not overlap.
    pub shown: Vec<Shows>,
}

impl<P: Platform> Default for Files<P> {
    fn default() -> Self {
        Self { files: Vec::new(), shown: Vec::new() }
    }
}

/// Where the ghost keeps the words of files: above everything that is mapped. Each file has 2^40 bytes.
const FILES: u64 = 1 << 63;
const FILE_BITS: u32 = 40;

impl Shows {
    /// What `mapping` is shown as from `start` on.
    pub fn of<P: Platform>(
        mapping: &AddressSpace<P>,
        (start, end): (VirtAddr, VirtAddr),
        first: u64,
        sharing: Sharing,
    ) -> Self {
        let stored_pages = if mapping.behaviour().fault.has_storage() { mapping.size_pages() } else { 0 };
        Self { start, end, file: mapping.id(), first, sharing, stored_pages, geometry: P::GEOMETRY }
    }

    /// The ghost's address of a word of the file.
    fn file_address(&self, address: VirtAddr) -> VirtAddr {
        file_address(self.file, self.first, self.geometry).offset(address.bytes() - self.start.bytes())
    }

    /// What a word held before anybody stored to it.
    fn at_first(&self, address: VirtAddr) -> u64 {
        let offset = address.bytes() - self.start.bytes();
        let index = self.first + offset / self.geometry.page_size();
        let word = offset % self.geometry.page_size() / 8;
        if index < self.stored_pages { file_word(self.file, index, word as usize) } else { 0 }
    }
}

/// The ghost's address of the first byte of a page of a file.
pub fn file_address(file: FileId, index: u64, geometry: Geometry) -> VirtAddr {
    VirtAddr::user(FILES + (file.0 << FILE_BITS) + index * geometry.page_size())
}

/// The file and the byte that an address of the ghost stands for.
pub(super) fn in_file(address: VirtAddr) -> Option<(FileId, u64)> {
    let inside = address.bytes().checked_sub(FILES)?;
    Some((FileId(inside >> FILE_BITS), inside & ((1 << FILE_BITS) - 1)))
}

fn showing(shown: &[Shows], address: VirtAddr) -> Option<&Shows> {
    shown.iter().find(|shows| (shows.start..shows.end).contains(&address))
}

/// The word that an address names: the file's, if it is shown shared.
pub(super) fn word_of(shown: &[Shows], address: VirtAddr) -> VirtAddr {
    match showing(shown, address) {
        Some(shows) if shows.sharing == Sharing::Shared => shows.file_address(address),
        Some(_) | None => address,
    }
}

/// The word of a file that a private mapping shows as long as it has not been stored to.
pub(super) fn behind(shown: &[Shows], address: VirtAddr) -> Option<VirtAddr> {
    let shows = showing(shown, address).filter(|shows| shows.sharing == Sharing::Private)?;
    Some(shows.file_address(address))
}

/// Every word of a file that a private mapping shows, once for each mapping. Nobody stores to it by that.
pub(super) fn shown_words(shown: &[Shows]) -> impl Iterator<Item = VirtAddr> + '_ {
    shown.iter().filter(|shows| shows.sharing == Sharing::Private).flat_map(|shows| {
        let bytes = shows.end.bytes() - shows.start.bytes();
        (0..bytes / 8).map(|word| shows.file_address(shows.start.offset(word * 8)))
    })
}

/// What a word held before anybody stored to it.
pub(super) fn at_first(shown: &[Shows], word: VirtAddr) -> u64 {
    let direct = showing(shown, word).map(|shows| shows.at_first(word));
    let by_file = || {
        let through = |shows: &&Shows| {
            let start = shows.file_address(shows.start);
            (start..shows.file_address(shows.end)).contains(&word)
        };
        let shows = shown.iter().find(through)?;
        Some(shows.at_first(shows.start.offset(word.bytes() - shows.file_address(shows.start).bytes())))
    };
    direct.or_else(by_file).unwrap_or(0)
}

/// The ranges that a file's new end takes away, as the ghost knows them.
pub fn cut_away(shown: &[Shows], file: FileId, pages: u64, geometry: Geometry) -> Vec<(VirtAddr, VirtAddr)> {
    let end_of_file = VirtAddr::user(FILES + ((file.0 + 1) << FILE_BITS));
    let mut ranges = vec![(file_address(file, pages, geometry), end_of_file)];
    for shows in shown.iter().filter(|shows| shows.file == file && shows.sharing == Sharing::Private) {
        let kept = pages.saturating_sub(shows.first) * geometry.page_size();
        if shows.start.offset(kept) < shows.end {
            ranges.push((shows.start.offset(kept), shows.end));
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Shape, TwoLevels};

    const G: Geometry = TwoLevels::GEOMETRY;

    fn shows(page: u64, pages: u64, first: u64, sharing: Sharing) -> Shows {
        let at = |page| VirtAddr::user(page * G.page_size());
        let (start, end) = (at(page), at(page + pages));
        Shows { start, end, file: FileId(0), first, sharing, stored_pages: 2, geometry: G }
    }

    #[test]
    fn two_addresses_that_show_one_page_share_its_words() {
        let shown =
            [shows(0, 2, 0, Sharing::Shared), shows(2, 1, 1, Sharing::Shared), shows(3, 1, 1, Sharing::Private)];
        let [first, second, private] = [16, 32, 48].map(VirtAddr::user);
        assert_eq!(word_of(&shown, first), word_of(&shown, second));
        assert_eq!(word_of(&shown, private), private);
        assert_eq!(behind(&shown, private), Some(word_of(&shown, first)));
        for word in [first, private, word_of(&shown, first)] {
            assert_eq!(at_first(&shown, word), 110, "{word}");
        }
        assert_eq!(in_file(word_of(&shown, first)), Some((FileId(0), 16)));
    }

    #[test]
    fn a_cut_takes_copies_too() {
        let shown = [shows(0, 2, 0, Sharing::Private)];
        let cut = cut_away(&shown, FileId(0), 1, G);
        assert_eq!(cut[0].0, file_address(FileId(0), 1, G));
        assert_eq!(cut[1..], [(VirtAddr::user(16), VirtAddr::user(32))]);
    }
}
