//! Parsing what a story is about: addresses, ranges, rights; and what is removed.

use std::num::NonZeroUsize;
use std::thread;

use crate::mm::{MapFlags, Protection};
use crate::phys::Pfn;
use crate::platform::{Geometry, Shape, Variant, X86_64};
use crate::x86::Pkru;

const G: Geometry = X86_64::GEOMETRY;

/// A number, hexadecimal with or without `0x`.
pub(super) fn hex(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).replace('_', "");
    u64::from_str_radix(&digits, 16).map_err(|_| "expected a hexadecimal number, like 0x75e52fc77100".to_owned())
}

/// A range of user space that a VMA can cover: `START-END`, in bytes.
pub(super) fn range(text: &str) -> Result<(u64, u64), String> {
    let (start, end) = text.split_once('-').ok_or("expected START-END, like 0x75e52fc77000-0x75e52fc7a000")?;
    let (start, end) = (hex(start)?, hex(end)?);
    if start >= end {
        return Err(format!("the range is empty: {start:#x} is not below {end:#x}"));
    }
    if start % G.page_size() != 0 || end % G.page_size() != 0 {
        return Err(format!("{start:#x}-{end:#x} does not start and end at page boundaries (multiples of 0x1000)"));
    }
    if end > G.task_size() {
        return Err(format!("{end:#x} is beyond the end of user space, {:#x}", G.task_size()));
    }
    Ok((start, end))
}

/// Rights as `ls` or `/proc/PID/maps` writes them: `rw-`, `r-x`, `---`, or shorter: `rw`.
pub(super) fn protection(text: &str) -> Result<Protection, String> {
    let mut protection = Protection::empty();
    for letter in text.chars() {
        protection |= match letter {
            'r' => Protection::READ,
            'w' => Protection::WRITE,
            'x' => Protection::EXEC,
            '-' => Protection::empty(),
            other => return Err(format!("'{other}' is no right; expected letters of rwx, like rw- or r-x")),
        };
    }
    Ok(protection)
}

/// Flags of `mmap`, with or without `MAP_`, in any case: `private|anonymous`.
pub(super) fn map_flags(text: &str) -> Result<MapFlags, String> {
    let mut flags = MapFlags::empty();
    for word in text.split(['|', ',']).map(str::trim) {
        let name = word.to_ascii_uppercase();
        let known = MapFlags::from_name(name.strip_prefix("MAP_").unwrap_or(&name));
        flags |= known.ok_or_else(|| {
            let names: Vec<_> = MapFlags::all().iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
            format!("'{word}' is no flag of a mapping; expected some of {}", names.join(", "))
        })?;
    }
    Ok(flags)
}

/// The rights to the protection keys.
pub(super) fn pkru(text: &str) -> Result<Pkru, String> {
    let bits = hex(text)?;
    u32::try_from(bits).map(Pkru::new).map_err(|_| format!("{bits:#x} does not fit the 32 bits of PKRU"))
}

/// A frame number that an entry can hold.
pub(super) fn pfn(text: &str) -> Result<Pfn, String> {
    let number = hex(text)?;
    Pfn::new(number).ok_or_else(|| {
        let bits = Pfn::BITS;
        format!(
            "{number:#x} does not fit the {bits} bits that an entry has for a frame number; expected at most {:#x}",
            (1u64 << bits) - 1
        )
    })
}

/// Threads that share a search: so many, or as many as there are cores.
pub(super) fn jobs(asked: Option<NonZeroUsize>) -> usize {
    asked.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

pub(super) fn variant(name: &str) -> Result<Variant, String> {
    Variant::find(name).ok_or_else(|| "there is none of this name; `pagerace variants` lists them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_pages_of_user_space() {
        assert_eq!(range("0x1000-3000"), Ok((0x1000, 0x3000)));
        for wrong in ["0x1000", "0x3000-0x1000", "0x1000-0x1000", "0x1001-0x2000", "x-y", "0-0x800000000000"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rights_may_be_written_long_or_short() {
        assert_eq!(protection("rw-"), Ok(Protection::READ | Protection::WRITE));
        assert_eq!(protection("x"), Ok(Protection::EXEC));
        assert_eq!(protection("---"), Ok(Protection::empty()));
        assert!(protection("rwz").is_err());
    }

    #[test]
    fn flags_may_be_written_as_c_does_or_shorter() {
        let expected = MapFlags::PRIVATE | MapFlags::ANONYMOUS;
        assert_eq!(map_flags("MAP_PRIVATE|MAP_ANONYMOUS"), Ok(expected));
        assert_eq!(map_flags("anonymous, private"), Ok(expected));
        assert!(map_flags("private|stack").is_err_and(|error| error.contains("growsdown")));
        assert!(map_flags("").is_err());
    }

    #[test]
    fn frame_numbers_fit_an_entry() {
        assert!(pfn("0xffffffffff").is_ok());
        assert!(pfn("0x10000000000").is_err());
    }
}
