//! Tales of the ways into the fault path, and out of it.

use crate::mm::{MapFlags, MapRequest, Protection, Reads, Signal, Signals, Task, VmFlags, Vma};
use crate::phys::PageState;
use crate::platform::Ordering;
use crate::x86::{Instruction, Mode, Pkru, VirtAddr};

use super::library::{Tale, tale, tale_g2, with_limit};
use super::stage::{CPU, File, Stage, page};

const RW: Protection = Protection::READ.union(Protection::WRITE);

pub(super) const TALES: &[Tale] = &[
    tale("segv-maperr", "nothing is mapped there", |stage| stage.read(0)),
    tale("segv-accerr", "a store to a mapping that may only be read", |stage| {
        stage.map(0, 1, Protection::READ);
        stage.write(0);
    }),
    tale("segv-prot-none", "a load from a mapping without rights", |stage| {
        stage.map(0, 1, Protection::empty());
        stage.read(0);
    }),
    tale("segv-fetch", "an instruction fetch from data", |stage| {
        stage.map(0, 1, RW);
        stage.tell(Mode::User, Instruction::Fetch(page(0)));
    }),
    tale("segv-shadow-stack", "a plain store to a shadow stack: only calls and returns write there", |stage| {
        let flags = VmFlags::READ | VmFlags::WRITE | VmFlags::MAYWRITE | VmFlags::SHADOW_STACK;
        stage.insert("map_shadow_stack", Vma::new(page(0), page(1), flags));
        stage.write(0);
    }),
    tale("segv-pkuerr", "a load from a page whose protection key is withdrawn: hardware says so", |stage| {
        with_key_1(stage);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        withdraw_key_1(stage);
        stage.read(0);
    }),
    tale("segv-pkuerr-absent", "the same with a page that is not there yet: the kernel says so", |stage| {
        with_key_1(stage);
        withdraw_key_1(stage);
        stage.read(0);
    }),
    tale("kernel-address", "a user's load from the kernel's half of the address space", |stage| {
        stage.tell(Mode::User, Instruction::Load(VirtAddr::user(0xffff_8880_0000_0000)));
    }),
    tale("stack-grows", "a store just below a stack", |stage| {
        map_stack(stage);
        stage.write(7);
    }),
    tale("stack-guard-gap", "a store below a stack, too near to another mapping", |stage| {
        stage.map(0, 1, RW);
        map_stack(stage);
        stage.write(7);
    }),
    tale_g2("stack-grows-g2", "a store just below a stack, as Linux 4.4 handles it", |stage| {
        map_stack(stage);
        stage.write(7);
    }),
    tale_g2(
        "stack-guard-page-g2",
        "a store to the lowest page of a stack above another mapping, in Linux 4.4",
        |stage| {
            stage.map(7, 1, RW);
            map_stack(stage);
            stage.write(8);
        },
    ),
    tale("kernel-copy", "copy_to_user faults a page in", |stage| {
        stage.map(0, 1, RW);
        stage.tell(Mode::KernelUserCopy, Instruction::store(page(0), 0x5eed));
    }),
    tale("kernel-copy-efault", "copy_to_user to an address where nothing is: its fixup returns -EFAULT", |stage| {
        stage.tell(Mode::KernelUserCopy, Instruction::store(page(0), 0x5eed));
    }),
    tale("kernel-copy-killed", "copy_from_user waits for a disk, and a fatal signal comes first", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::reading(Reads::Slow));
        stage.task = Task::new(CPU).with_signals(Signals::Pending(Signal::Fatal));
        stage.say("a fatal signal is pending");
        stage.tell(Mode::KernelUserCopy, Instruction::Load(page(0)));
    }),
    tale("kernel-copy-atomic", "copy_from_user where no fault may be handled: its fixup returns -EFAULT", |stage| {
        stage.map(0, 1, RW);
        stage.say("pagefault_disable()");
        stage.tell_atomic(Mode::KernelUserCopy, Instruction::Load(page(0)));
    }),
    tale("kernel-thread", "a thread of the kernel, which has no memory of its own, copies from a user", |stage| {
        stage.map(0, 1, RW);
        stage.task = Task::kernel_thread(CPU);
        stage.say("the task is a thread of the kernel: current->mm is NULL");
        stage.tell(Mode::KernelUserCopy, Instruction::Load(page(0)));
    }),
    tale("kernel-smap", "the kernel touches user memory without saying so: SMAP", |stage| {
        stage.map(0, 1, RW);
        stage.tell(Mode::Kernel, Instruction::Load(page(0)));
    }),
    tale("kernel-fetch", "the kernel jumps to user memory", |stage| {
        stage.map(0, 1, RW | Protection::EXEC);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.tell(Mode::Kernel, Instruction::Fetch(page(0)));
    }),
    tale("kernel-oops", "the kernel, allowed to touch user memory, finds nothing and has no fixup", |stage| {
        stage.tell(Mode::KernelAnnounced, Instruction::Load(page(0)));
    }),
    tale("corrupt-table", "an entry of the top table has a reserved bit set", |stage| {
        stage.map(0, 1, RW);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.before("somebody sets bit 7 of the PGD entry", |mm, _| {
            let entry = mm.memory().word(mm.pgd(), 0xfe);
            // ORDER none: nobody else runs.
            entry.store(entry.load(Ordering::Relaxed) | 1 << 7, Ordering::Relaxed);
        });
        stage.read(0);
    }),
    tale("signal-handled", "a signal with a handler waits when the fault is over", |stage| {
        stage.map(0, 1, RW);
        stage.task = Task::new(CPU).with_signals(Signals::Pending(Signal::Handled));
        stage.say("a signal is pending");
        stage.write(0);
    }),
    tale("signal-fatal", "a fatal signal waits when the fault is over", |stage| {
        stage.map(0, 1, RW);
        stage.task = Task::new(CPU).with_signals(Signals::Pending(Signal::Fatal));
        stage.say("a fatal signal is pending");
        stage.write(0);
    }),
    tale("signal-retry", "a load that must wait for a disk, and a signal that does not wait", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::reading(Reads::Slow));
        stage.task = Task::new(CPU).with_signals(Signals::Pending(Signal::Handled));
        stage.say("a signal is pending");
        stage.read(0);
    }),
    tale("out-of-memory", "a store, and no memory for the page", |stage| {
        stage.map(0, 2, RW);
        stage.accessed_before("a store to the other page", Instruction::store(page(1), 1));
        exhaust(stage, 0);
        stage.write(0);
    }),
    tale("out-of-memory-table", "a load, and no memory for the tables", |stage| {
        stage.map(0, 1, RW);
        exhaust(stage, 0);
        stage.read(0);
    }),
    with_limit(
        1,
        tale("out-of-cgroup-memory", "a store where the cgroup has charged all that it may", |stage| {
            stage.map(0, 2, RW);
            stage.accessed_before("a store to the other page", Instruction::store(page(1), 1));
            stage.write(0);
        }),
    ),
    tale("kernel-copy-out-of-memory", "copy_to_user, and no memory: its fixup returns -EFAULT", |stage| {
        stage.map(0, 1, RW);
        exhaust(stage, 1);
        stage.tell(Mode::KernelUserCopy, Instruction::store(page(0), 0x5eed));
    }),
];

fn map_stack(stage: &mut Stage) {
    let flags = MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::GROWSDOWN;
    stage.mmap(8, 1, MapRequest { flags, ..MapRequest::anonymous(0, RW) });
}

fn with_key_1(stage: &mut Stage) {
    stage.mmap(0, 1, MapRequest { pkey: 1, ..MapRequest::anonymous(0, RW) });
}

fn withdraw_key_1(stage: &mut Stage) {
    stage.task = Task::new(CPU).with_pkru(Pkru::new(0b01 << 2));
    stage.say("PKRU takes all access to key 1 away");
}

/// Takes all memory but so many frames.
fn exhaust(stage: &mut Stage, left: usize) {
    stage.before(&format!("others take all memory but {left} frames"), |mm, _| {
        while mm.memory().zone().free_frames() > left {
            mm.memory().alloc_page(CPU, PageState::User).expect("it is free");
        }
    });
}
