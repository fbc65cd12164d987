//! Whether the VMA allows the access (`arch/x86/mm/fault.c`, `access_error`; `mmu_context.h`,
//! `arch_vma_access_permitted`).

use crate::platform::{Platform, enter};
use crate::x86::{AccessKind, ErrorCode, Pkru};

use super::fault_flags::FaultFlags;
use super::task::Task;
use super::vm_flags::VmFlags;
use super::vma::Vma;

/// Whether the rights of a VMA forbid an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Denied,
}

/// Judges an access by its error code.
pub(super) fn access_error<P: Platform>(error_code: ErrorCode, vma: &Vma<P>, task: &Task) -> Verdict {
    enter::<P>("access_error", format_args!("error_code={:#x}, vma={vma:?}", error_code.bits())).run(
        || if denies(error_code, vma, task) { Verdict::Denied } else { Verdict::Allowed },
        |verdict| format!("{verdict:?}"),
    )
}

fn denies<P: Platform>(error_code: ErrorCode, vma: &Vma<P>, task: &Task) -> bool {
    // No VMA is an enclave here, and a key that forbids the page forbids the access.
    if error_code.intersects(ErrorCode::KEY | ErrorCode::SGX) {
        return true;
    }
    if !key_allows(kind_of(error_code), vma.flags(), task.pkru()) {
        return true;
    }
    let (is_shadow_stack, is_writable) =
        (vma.flags().contains(VmFlags::SHADOW_STACK), vma.flags().contains(VmFlags::WRITE));
    if error_code.contains(ErrorCode::SHADOW_STACK) {
        return !is_shadow_stack || !is_writable;
    }
    if error_code.contains(ErrorCode::WRITE) {
        return is_shadow_stack || !is_writable;
    }
    error_code.contains(ErrorCode::PROTECTION) || !vma.is_accessible()
}

/// Whether it was a protection key that forbade the access (`bad_area_access_from_pkeys`).
pub(super) fn is_denied_by_key<P: Platform>(error_code: ErrorCode, vma: &Vma<P>, task: &Task) -> bool {
    error_code.contains(ErrorCode::KEY) || !key_allows(kind_of(error_code), vma.flags(), task.pkru())
}

fn kind_of(error_code: ErrorCode) -> FaultFlags {
    let mut kind = FaultFlags::empty();
    kind.set(FaultFlags::WRITE, error_code.contains(ErrorCode::WRITE));
    kind.set(FaultFlags::INSTRUCTION, error_code.contains(ErrorCode::FETCH));
    kind
}

/// Whether the protection key allows the access (`arch_vma_access_permitted`).
pub(super) fn arch_vma_access_permitted<P: Platform>(vma: &Vma<P>, flags: FaultFlags, task: &Task) -> Verdict {
    enter::<P>("arch_vma_access_permitted", format_args!("key={}", vma.flags().pkey())).run(
        || if key_allows(flags, vma.flags(), task.pkru()) { Verdict::Allowed } else { Verdict::Denied },
        |verdict| format!("{verdict:?}"),
    )
}

/// Fetches and other tasks' accesses are not subject to keys.
fn key_allows(kind: FaultFlags, vma: VmFlags, pkru: Pkru) -> bool {
    if kind.intersects(FaultFlags::INSTRUCTION | FaultFlags::REMOTE) {
        return true;
    }
    let kind = if kind.contains(FaultFlags::WRITE) { AccessKind::Write } else { AccessKind::Read };
    pkru.allows(vma.pkey(), kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phys::CpuId;
    use crate::platform::{Native, X86_64};
    use crate::x86::VirtAddr;

    fn verdict(error_code: u64, rights: VmFlags) -> Verdict {
        let vma = Vma::<Native<X86_64>>::new(VirtAddr::user(0x1000), VirtAddr::user(0x2000), rights);
        access_error(ErrorCode::from_bits_truncate(error_code), &vma, &Task::new(CpuId::new(0)))
    }

    #[test]
    fn rights_decide() {
        use Verdict::{Allowed, Denied};
        let read = VmFlags::READ;
        for (error_code, rights, expected) in [
            (0x4, read, Allowed),
            (0x4, VmFlags::empty(), Denied),
            (0x5, read, Denied),
            (0x6, read, Denied),
            (0x6, read | VmFlags::WRITE, Allowed),
            (0x7, read | VmFlags::WRITE, Allowed),
            (0x14, read | VmFlags::EXEC, Allowed),
            (0x15, read, Denied),
            (0x24, read, Denied),
            (0x44, read | VmFlags::WRITE, Denied),
            (0x44, read | VmFlags::WRITE | VmFlags::SHADOW_STACK, Allowed),
            (0x47, read | VmFlags::WRITE | VmFlags::SHADOW_STACK, Allowed),
            (0x46, read | VmFlags::SHADOW_STACK, Denied),
            (0x6, read | VmFlags::WRITE | VmFlags::SHADOW_STACK, Denied),
            (0x4, read | VmFlags::WRITE | VmFlags::SHADOW_STACK, Allowed),
            (0x8004, read, Denied),
        ] {
            assert_eq!(verdict(error_code, rights), expected, "{error_code:#x} on {rights:?}");
        }
    }

    #[test]
    fn a_key_forbids_what_the_rights_allow() {
        let flags = (VmFlags::READ | VmFlags::WRITE | VmFlags::EXEC).with_pkey(3);
        let vma = Vma::<Native<X86_64>>::new(VirtAddr::user(0x1000), VirtAddr::user(0x2000), flags);
        let no_writes = Task::new(CpuId::new(0)).with_pkru(Pkru::new(0b10 << 6));
        for (error_code, expected) in [(0x4, Verdict::Allowed), (0x6, Verdict::Denied), (0x14, Verdict::Allowed)] {
            let error_code = ErrorCode::from_bits_truncate(error_code);
            assert_eq!(access_error(error_code, &vma, &no_writes), expected, "{error_code}");
            assert_eq!(is_denied_by_key(error_code, &vma, &no_writes), expected == Verdict::Denied, "{error_code}");
            let mut kind = kind_of(error_code);
            assert_eq!(arch_vma_access_permitted(&vma, kind, &no_writes), expected, "{error_code}");
            kind |= FaultFlags::REMOTE;
            assert_eq!(arch_vma_access_permitted(&vma, kind, &no_writes), Verdict::Allowed, "{error_code}");
        }
    }
}
