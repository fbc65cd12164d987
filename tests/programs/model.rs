//! What Linux promises a program of one task, with nothing behind it: the rights of each page, the value of each word.

use std::collections::BTreeMap;

use pagerace::actors::UnmapError;
use pagerace::mm::{Ending, FaultCode, MapError, Placement, Protection};
use pagerace::platform::Geometry;
use pagerace::x86::{Completion, Instruction, VirtAddr};

/// Memory as a user sees it.
pub struct Model {
    geometry: Geometry,
    /// The rights of each mapped page, by its number.
    rights: BTreeMap<u64, Protection>,
    /// Words that are not zero, by their address.
    words: BTreeMap<u64, u64>,
}

impl Model {
    /// Nothing is mapped.
    pub fn new(geometry: Geometry) -> Self {
        Self { geometry, rights: BTreeMap::new(), words: BTreeMap::new() }
    }

    /// The rights of each mapped page, by its number.
    pub fn rights(&self) -> &BTreeMap<u64, Protection> {
        &self.rights
    }

    /// What the word that holds `address` is worth.
    pub fn word(&self, address: VirtAddr) -> u64 {
        self.words.get(&(address.bytes() / 8 * 8)).copied().unwrap_or(0)
    }

    /// `mmap`, with Linux's checks in Linux's order (`do_mmap`, `__get_unmapped_area`).
    pub fn mmap(&mut self, placement: Placement, bytes: u64, protection: Protection) -> Result<VirtAddr, MapError> {
        let (page_size, limit) = (self.geometry.page_size(), self.geometry.task_size());
        if bytes == 0 {
            return Err(MapError::Invalid);
        }
        if bytes > limit {
            return Err(MapError::NoRoom);
        }
        let pages = bytes.div_ceil(page_size);
        let first = match placement {
            Placement::Anywhere => self.highest_gap(pages).ok_or(MapError::NoRoom)?,
            Placement::Fixed(start) if start.bytes() > limit - pages * page_size => return Err(MapError::NoRoom),
            Placement::Fixed(start) if !start.bytes().is_multiple_of(page_size) => return Err(MapError::Invalid),
            Placement::Fixed(start) => start.bytes() / page_size,
        };
        let range = first..first + pages;
        if range.clone().any(|page| self.rights.contains_key(&page)) {
            return Err(MapError::Exists);
        }
        self.rights.extend(range.map(|page| (page, protection)));
        Ok(VirtAddr::new(first * page_size, self.geometry).expect("user space is canonical"))
    }

    fn highest_gap(&self, pages: u64) -> Option<u64> {
        let highest = (self.geometry.task_size() / self.geometry.page_size()).checked_sub(pages)?;
        (0..=highest).rev().find(|first| self.rights.range(first..&(first + pages)).next().is_none())
    }

    /// `munmap`: what was there is forgotten.
    pub fn munmap(&mut self, start: VirtAddr, bytes: u64) -> Result<(), UnmapError> {
        let (page_size, limit) = (self.geometry.page_size(), self.geometry.task_size());
        let fits = start.bytes() <= limit && bytes <= limit - start.bytes();
        if bytes == 0 || !fits || !start.bytes().is_multiple_of(page_size) {
            return Err(UnmapError::Invalid);
        }
        let end = start.bytes() + bytes.div_ceil(page_size) * page_size;
        self.rights.retain(|page, _| !(start.bytes()..end).contains(&(page * page_size)));
        self.words.retain(|address, _| !(start.bytes()..end).contains(address));
        Ok(())
    }

    /// What an access of a user comes to if there is memory for it. On x86 any right includes the right to read.
    pub fn access(&self, instruction: Instruction) -> Completion<Ending> {
        let address = instruction.address();
        let segv = |code| Completion::Ended(Ending::Sigsegv(code, address));
        let Some(rights) = self.rights.get(&(address.bytes() / self.geometry.page_size())) else {
            return segv(FaultCode::MapErr);
        };
        let value = Some(self.word(address) >> (address.bytes() % 8 * 8));
        match instruction {
            Instruction::Load(_) if !rights.is_empty() => Completion::Done(value),
            Instruction::Fetch(_) if rights.contains(Protection::EXEC) => Completion::Done(value),
            Instruction::Store { .. } if rights.contains(Protection::WRITE) => Completion::Done(None),
            Instruction::Load(_) | Instruction::Fetch(_) | Instruction::Store { .. } => segv(FaultCode::AccErr),
        }
    }

    /// Remembers a store that completed; returns what the word is worth now.
    pub fn stored(&mut self, address: VirtAddr, value: u64, bytes: u32) -> u64 {
        let mut word = self.word(address).to_le_bytes();
        let (from, count) = ((address.bytes() % 8) as usize, bytes as usize);
        word[from..from + count].copy_from_slice(&value.to_le_bytes()[..count]);
        let word = u64::from_le_bytes(word);
        self.words.insert(address.bytes() / 8 * 8, word);
        word
    }
}
