//! `pagerace trace`.

use clap::{Args, ValueEnum, value_parser};

use crate::mm::{HugeAdvice, MapFlags, Protection};
use crate::phys::Pfn;
use crate::x86::Pkru;

use super::output::line;
use super::story::{Mapping, Plot, Story, Use, find, tales};
use super::{Exit, parse, usage};

/// Tell one page fault as a call trace, from the exception to the retried instruction.
///
/// `pagerace trace NAME` tells a story of the library, one for each way through the fault path. Without
/// a name it is the documented one: a process copies "offset world" to 0x75e52fc77100, the first touch of
/// its page; options change it. Every number comes from the code that the checkers run.
#[derive(Debug, Args)]
pub(super) struct Trace {
    /// A story of the library
    #[arg(value_name = "NAME", conflicts_with_all = ["address", "next_pfn", "pkru", "How"])]
    #[arg(conflicts_with_all = ["vma", "prot", "flags", "file", "pkey", "madvise"])]
    name: Option<String>,
    /// List the stories of the library, and tell none
    #[arg(long, conflicts_with = "name")]
    list: bool,
    /// The address of the access
    #[arg(long, value_name = "ADDRESS", default_value = "0x75e52fc77100", value_parser = parse::hex)]
    address: u64,
    /// The mapping
    #[arg(long, value_name = "START-END", default_value = "0x75e52fc77000-0x75e52fc7a000", value_parser = parse::range)]
    vma: (u64, u64),
    /// The rights of the mapping
    #[arg(long, value_name = "RIGHTS", default_value = "rw-", value_parser = parse::protection)]
    #[arg(allow_hyphen_values = true)]
    prot: Protection,
    /// The flags of the mapping, as mmap(2) names them, with | between them
    ///
    /// private or shared; anonymous, or --file; growsdown, hugetlb, locked, noreserve, sync.
    #[arg(long, value_name = "FLAGS", default_value = "private|anonymous", value_parser = parse::map_flags)]
    flags: MapFlags,
    /// Map a file of so many pages, which is on a disk
    #[arg(long, value_name = "PAGES", value_parser = value_parser!(u64).range(1..=1024))]
    file: Option<u64>,
    /// The protection key of the mapping (pkey_mprotect)
    #[arg(long, value_name = "KEY", default_value = "0")]
    pkey: u32,
    /// The thread's PKRU: bit 2K takes all access to key K away, bit 2K+1 writing
    #[arg(long, value_name = "PKRU", default_value = "0x0", value_parser = parse::pkru)]
    pkru: Pkru,
    /// Advise the kernel about huge pages (MADV_HUGEPAGE, MADV_NOHUGEPAGE)
    #[arg(long, value_name = "ADVICE")]
    madvise: Option<Advice>,
    /// The frame that the allocator hands out next
    #[arg(long, value_name = "PFN", default_value = "0x38944c", value_parser = parse::pfn)]
    next_pfn: Pfn,
    #[command(flatten)]
    how: How,
}

/// What `madvise` can say of huge pages.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Advice {
    /// They are wanted
    Hugepage,
    /// They are not
    Nohugepage,
}

impl Advice {
    fn of_huge_pages(self) -> HugeAdvice {
        match self {
            Self::Hugepage => HugeAdvice::Wanted,
            Self::Nohugepage => HugeAdvice::Unwanted,
        }
    }
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct How {
    /// Copy this text there, with its final zero [default: "offset world"]
    #[arg(long, value_name = "TEXT")]
    write: Option<String>,
    /// Load the word there
    #[arg(long)]
    read: bool,
    /// Fetch the instruction there
    #[arg(long)]
    exec: bool,
}

impl How {
    fn into_use(self) -> Use {
        match self {
            Self { read: true, .. } => Use::Read,
            Self { exec: true, .. } => Use::Execute,
            Self { write, .. } => Use::Write(write.unwrap_or_else(|| "offset world".to_owned())),
        }
    }
}

impl Trace {
    pub(super) fn run(self) -> Exit {
        if self.list {
            tales().for_each(|tale| line(format_args!("{:<27}{}", tale.name, tale.about)));
            return Exit::Holds;
        }
        match self.name {
            Some(name) => tell_tale(&name),
            None => self.tell_plot(),
        }
    }

    fn tell_plot(self) -> Exit {
        let plot = Plot {
            address: self.address,
            mapping: Mapping {
                range: self.vma,
                protection: self.prot,
                flags: self.flags,
                file: self.file,
                pkey: self.pkey,
                huge: self.madvise.map_or(HugeAdvice::None, Advice::of_huge_pages),
            },
            pkru: self.pkru,
            next_pfn: self.next_pfn,
            access: self.how.into_use(),
        };
        match Story::tell(&plot) {
            Ok(story) => {
                line(format_args!("{}", story.to_string().trim_end()));
                Exit::Holds
            }
            Err(error) => usage(&error.to_string(), error.hint()),
        }
    }
}

fn tell_tale(name: &str) -> Exit {
    let Some(tale) = find(name) else {
        return usage(&format!("there is no story '{name}'"), "`pagerace trace --list` names them all");
    };
    match tale.tell() {
        Ok(story) => {
            line(format_args!("{}", story.to_string().trim_end()));
            Exit::Holds
        }
        Err(error) => usage(&error.to_string(), "a story needs 8 MiB of memory"),
    }
}
