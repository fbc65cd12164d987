//! Physical memory: frames, what is known of each, and who hands them out.

mod address;
mod buddy;
mod compound;
mod config;
mod cpu;
mod deposit;
mod folio;
mod hstate;
mod huge;
mod list;
mod lru;
mod memcg;
mod memory;
mod page;
mod percpu;
mod translations;
mod zone;

pub use address::{Pfn, PhysAddr};
pub use buddy::{Buddy, MAX_ORDER};
pub use config::PhysConfig;
pub use cpu::CpuId;
pub use folio::{Contents, FolioFlags};
pub use hstate::{Claim, Hstate, PoolEmpty, Restore};
pub use lru::Lru;
pub use memcg::{ChargeFailed, MemCgroup};
pub use memory::{OutOfMemory, PhysMem};
pub use page::{AnonVmaId, FileId, Mapping, Page, PageState};
pub use zone::{Purpose, Zone};
