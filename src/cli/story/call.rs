//! The calls that set a story up, as strace shows them.

use std::fmt;

use crate::mm::{HugeAdvice, MapRequest, Placement, Protection};
use crate::platform::Platform;

/// A request to `mmap`, with the calls that follow it.
pub(super) struct Calls<'r, P: Platform>(pub(super) &'r MapRequest<P>);

impl<P: Platform> fmt::Display for Calls<'_, P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MapRequest { placement, bytes, protection, flags, file, pkey, huge } = self.0;
        let place = match placement {
            Placement::Anywhere => "NULL".to_owned(),
            Placement::Fixed(start) => start.to_string(),
        };
        write!(formatter, "mmap({place}, {bytes:#x}, {}, {}", rights(*protection), names("MAP_", *flags))?;
        match file {
            Some(file) => write!(formatter, ", a file of {} pages, {})", file.mapping.size_pages(), file.offset)?,
            None => write!(formatter, ")")?,
        }
        if *pkey != 0 {
            write!(formatter, ", pkey_mprotect(.., {pkey})")?;
        }
        match huge {
            HugeAdvice::None => Ok(()),
            HugeAdvice::Wanted => write!(formatter, ", madvise(.., MADV_HUGEPAGE)"),
            HugeAdvice::Unwanted => write!(formatter, ", madvise(.., MADV_NOHUGEPAGE)"),
        }
    }
}

fn rights(protection: Protection) -> String {
    if protection.is_empty() { "PROT_NONE".to_owned() } else { names("PROT_", protection) }
}

/// The names of flags, as C writes them.
fn names<F: bitflags::Flags>(prefix: &str, flags: F) -> String {
    let names: Vec<_> = flags.iter_names().map(|(name, _)| format!("{prefix}{name}")).collect();
    names.join("|")
}
