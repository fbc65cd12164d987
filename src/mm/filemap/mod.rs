//! Files in memory: the page cache, and the faults that are answered from it (`mm/filemap.c`).
//!
//! ```text
//! address_space      the cache of one file: slots, size, locks (struct address_space, struct inode)
//!   i_mmap             who maps it
//!   huge_folio         one folio in many slots (shared memory)
//!   file_system        what stands behind it: reads that may be slow or fail, page_mkwrite
//! filemap_fault      the page of a fault, locked
//!   readahead          more pages than were asked for
//!   shmem_fault        the same for shared memory
//! map_pages          pages around a fault, if they can be had without waiting
//! ```

mod address_space;
mod file_system;
mod filemap_fault;
mod huge_folio;
mod i_mmap;
mod map_pages;
mod readahead;
mod shmem;

pub use address_space::AddressSpace;
pub use file_system::{Behaviour, FaultOp, HugeFolios, MapPages, PageMkwrite, Reads, Space, file_word};
pub use i_mmap::{IMmap, VmaFile};

pub(super) use address_space::folio_prealloc;
pub(super) use file_system::Allowed;
pub(super) use filemap_fault::{Fetched, filemap_fault, may_drop_fault_lock};
pub(super) use map_pages::{Around, filemap_map_pages};
pub(super) use shmem::shmem_fault;
