//! What the hardware defines: addresses, entries, error codes, the page walk, and how an instruction faults and is
//! retried.

mod access;
mod address;
mod cpu;
mod entry;
mod error_code;
mod huge_zero;
mod instruction;
mod machine;
mod pkru;
mod swap_entry;
mod tlb;
mod walk;
mod words;

pub use access::{Access, AccessKind, Interrupts, Mode};
pub use address::{NotCanonical, VirtAddr};
pub use cpu::Cpu;
pub use entry::{EntryFlags, PmdState, PmdVal, PteVal, TableVal};
pub use error_code::ErrorCode;
pub use huge_zero::HugeZero;
pub use instruction::{Completion, ExceptionHandler, Instruction, PtRegs, Resume, execute};
pub use machine::Machine;
pub use pkru::Pkru;
pub use swap_entry::{
    AccessedBit, DirtyBit, SwapEntry, SwapType, make_readable_exclusive_migration_entry, make_readable_migration_entry,
};
pub use tlb::{Remembered, Retention};
pub(crate) use walk::level_name;
pub use walk::{Leaf, PageFault, Translation, walk};
pub(crate) use words::describe_entry;
