//! A split of a huge page in Linux 4.4 while another process that maps it forks, in every interleaving: three address
//! spaces, more than a scenario has.

use crate::mm::{Generation, LockedTable, Mm, Process, Protection, RssKind, Task, VmFlags, Vma, find_pmd};
use crate::phys::{CpuId, Pfn, PhysConfig, Purpose};
use crate::platform::interleaved::{Interleaved, Search, explore};
use crate::platform::{Arc, Platform, TwoLevels, Verdict, Watch};
use crate::x86::{Instruction, Machine, Mode, VirtAddr};

use super::{fork, madvise_dontneed};

type C = Interleaved<TwoLevels>;

const SETUP: CpuId = CpuId::new(2);
const PAGE_BYTES: u64 = 16;

/// What the split and the fork race over.
struct Family {
    parent: Arc<Mm<C>>,
    /// It shares a huge page with the parent, and splits it.
    first: Arc<Mm<C>>,
    /// It is being forked.
    second: Arc<Mm<C>>,
}

/// Whose root table lies lower: a split that visited the address spaces by the numbers of their roots would take that
/// one first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lower {
    Parent,
    Second,
}

fn family(lower: Lower) -> Family {
    let config =
        PhysConfig { pcp_batch: 1, memcg_batch_pages: 1 << 16, ..PhysConfig::linux(Pfn::truncate(0x100), 32, 3) };
    let machine = Arc::new(Machine::boot(&config).expect("32 frames"));
    let new = || Arc::new(Mm::new(Arc::clone(&machine), Generation::G2, SETUP).expect("a frame for the root table"));
    let (one, other, first) = (new(), new(), new());
    let is_ascending = one.pgd().number() < other.pgd().number();
    let (parent, second) = if is_ascending == (lower == Lower::Parent) { (one, other) } else { (other, one) };
    parent.memory().zone().prefill(SETUP, Purpose::Huge, 1);
    for cpu in [0, 1, 2].map(CpuId::new) {
        parent.memory().zone().prefill(cpu, Purpose::Table, 3);
        parent.memory().memcg().prefill(cpu, 4);
    }
    let flags = (Protection::READ | Protection::WRITE).vm_flags() | VmFlags::HUGEPAGE;
    parent.mmap_lock().write().insert(Vma::new(VirtAddr::ZERO, VirtAddr::user(2 * PAGE_BYTES), flags));
    let task = Task::new(SETUP);
    let _done = Process::new(&*parent, &task).execute(Mode::User, Instruction::store(VirtAddr::ZERO, 9));
    fork(&parent, &first, &task).expect("there is memory");
    parent.memory().drain_lru_batches(SETUP);
    Family { parent, first, second }
}

/// The page that a small entry maps.
fn mapped(mm: &Mm<C>, address: VirtAddr) -> Option<Pfn> {
    let pmd = find_pmd(mm, address).expect("there are tables");
    let entry = LockedTable::offset_map_lock(mm, pmd).expect("the huge page is split").get(address);
    entry.is_present().then(|| entry.pfn())
}

fn split_during_fork(lower: Lower) {
    let Family { parent, first, second } = family(lower);
    let (of_split, of_fork) = (Arc::clone(&first), (Arc::clone(&parent), Arc::clone(&second)));
    let split = C::spawn("S".to_owned(), move || {
        madvise_dontneed(&of_split, CpuId::new(0), VirtAddr::user(PAGE_BYTES), PAGE_BYTES);
    });
    let forked = C::spawn("F".to_owned(), move || {
        fork(&of_fork.0, &of_fork.1, &Task::new(CpuId::new(1))).expect("there is memory");
    });
    C::join(split);
    C::join(forked);
    let (kept, discarded) = (VirtAddr::ZERO, VirtAddr::user(PAGE_BYTES));
    for (address, sharers) in [(kept, [&parent, &second, &first].as_slice()), (discarded, &[&parent, &second])] {
        let page = mapped(&parent, address).expect("the parent discards nothing");
        assert!(sharers.iter().all(|mm| mapped(mm, address) == Some(page)), "{address} is shared");
        assert_eq!(parent.memory().page(page).mapcount(), sharers.len() as i64, "{address}");
    }
    assert_eq!(mapped(&first, discarded), None);
    assert_eq!([&parent, &first, &second].map(|mm| mm.rss(RssKind::Anon)), [2, 1, 2]);
}

#[test]
fn a_fork_waits_for_a_split_without_the_lock_of_the_childs_table() {
    let report = explore("fork, split", Search::Everything, &Watch::default(), || split_during_fork(Lower::Parent));
    assert_eq!(report.verdict, Verdict::Holds);
}

#[test]
fn a_split_visits_a_parent_before_the_child_that_is_being_forked() {
    let report = explore("split, fork", Search::Everything, &Watch::default(), || split_during_fork(Lower::Second));
    assert_eq!(report.verdict, Verdict::Holds);
}
