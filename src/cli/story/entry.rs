//! Tales of the ways into the fault path, and out of it.

use crate::actors::exit_mmap;
use crate::mm::{Generation, Protection, Signal, Signals, Task, VmFlags};
use crate::x86::{Instruction, Mode, Pkru, VirtAddr};

use super::library::{Tale, tale};
use super::memory::fork_child;
use super::stage::{CPU, Stage, page};

const RW: Protection = Protection::READ.union(Protection::WRITE);

/// The VMA flags of protection key 1.
const KEY_1: VmFlags = VmFlags::from_bits_retain(1 << 32);

pub(super) const TALES: &[Tale] = &[
    tale("segv-maperr", "nothing is mapped there", |stage| stage.read(0)),
    tale("segv-accerr", "a store to a mapping that may only be read", |stage| {
        stage.map(0, 1, Protection::READ, VmFlags::empty());
        stage.write(0);
    }),
    tale("segv-fetch", "an instruction fetch from data", |stage| {
        stage.map(0, 1, RW, VmFlags::empty());
        stage.tell(Mode::User, Instruction::Fetch(page(0)));
    }),
    tale("segv-pkuerr", "a load from a page whose protection key is withdrawn", |stage| {
        stage.map(0, 1, RW, KEY_1);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.task = Task::new(CPU).with_pkru(Pkru::new(0b01 << 2));
        stage.say("PKRU takes all access to key 1 away");
        stage.read(0);
    }),
    tale("kernel-address", "a user's load from the kernel's half of the address space", |stage| {
        stage.tell(Mode::User, Instruction::Load(VirtAddr::user(0xffff_8880_0000_0000)));
    }),
    tale("stack-grows", "a store just below a stack", |stage| {
        stage.map(8, 1, RW, VmFlags::GROWSDOWN);
        stage.write(7);
    }),
    tale("kernel-copy", "copy_to_user faults a page in", |stage| {
        stage.map(0, 1, RW, VmFlags::empty());
        stage.tell(Mode::KernelUserCopy, Instruction::store(page(0), 0x5eed));
    }),
    tale("kernel-copy-efault", "copy_to_user to an address where nothing is: its fixup returns -EFAULT", |stage| {
        stage.tell(Mode::KernelUserCopy, Instruction::store(page(0), 0x5eed));
    }),
    tale("kernel-smap", "the kernel touches user memory without saying so: SMAP", |stage| {
        stage.map(0, 1, RW, VmFlags::empty());
        stage.tell(Mode::Kernel, Instruction::Load(page(0)));
    }),
    tale("kernel-oops", "the kernel, allowed to touch user memory, finds nothing and has no fixup", |stage| {
        stage.tell(Mode::KernelAnnounced, Instruction::Load(page(0)));
    }),
    tale("signal-pending", "a fatal signal waits when the fault is over", |stage| {
        stage.map(0, 1, RW, VmFlags::empty());
        stage.task = Task::new(CPU).with_signals(Signals::Pending(Signal::Fatal));
        stage.say("a fatal signal is pending");
        stage.write(0);
    }),
    Tale {
        name: "anonymous-write-g2",
        about: "the first store to a page, as Linux 4.4 handles it",
        generation: Generation::G2,
        play: |stage: &mut Stage| {
            stage.map(0, 1, RW, VmFlags::empty());
            stage.write(0);
        },
    },
    Tale {
        name: "cow-reuse-g2",
        about: "a store to a page that a child shared, in Linux 4.4, after it is gone: one entry maps it",
        generation: Generation::G2,
        play: |stage: &mut Stage| {
            stage.map(0, 1, RW, VmFlags::empty());
            stage.accessed_before("a store", Instruction::store(page(0), 1));
            let child = fork_child(stage);
            stage.before("the child exits", |_, _| exit_mmap(&child, CPU));
            stage.write(0);
        },
    },
];
