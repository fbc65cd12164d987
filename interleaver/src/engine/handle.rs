//! The identity of an object, as its wrapper keeps it.

use super::exec::{Exec, Status};
use super::op::{ObjId, ObjKind, Place};
use super::rt::try_runtime;
use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::{AtomicU64 as StdAtomicU64, Ordering};

/// The identity of an object: where it stands in the table of the present execution.
pub(crate) struct Handle {
    /// Execution and index; an execution that is not the present one means "register again".
    key: StdAtomicU64,
    init: StdAtomicU64,
    kind: ObjKind,
    label: Cell<Option<&'static str>>,
}

// SAFETY: `label` is written only through `&mut` or before the handle is shared (`set_label` takes `&mut self`).
unsafe impl Sync for Handle {}

const INDEX_BITS: u32 = 24;

impl Handle {
    /// A handle that finds its object at the first use.
    pub(crate) const fn lazy(kind: ObjKind, init: u64) -> Handle {
        Handle { key: StdAtomicU64::new(0), init: StdAtomicU64::new(init), kind, label: Cell::new(None) }
    }

    /// A handle whose object is made now, if a model runs.
    pub(crate) fn new(kind: ObjKind, init: u64, place: Place) -> Handle {
        let handle = Handle::lazy(kind, init);
        if let Some(rt) = try_runtime()
            && rt.exec.status == Status::Running
        {
            let id = rt.exec.add_object(kind, init, place);
            handle.remember(&rt.exec, id);
        }
        handle
    }

    pub(crate) fn set_label(&mut self, label: &'static str) {
        self.label.set(Some(label));
        if let Some(rt) = try_runtime() {
            let id = self.id(&mut rt.exec, Location::caller());
            rt.exec.obj_mut(id).label = Some(label);
        }
    }

    fn remember(&self, exec: &Exec, id: ObjId) {
        // ORDER none: an object is used by one OS thread at a time; a static shared by workers is found by its address.
        self.key.store(exec.epoch << INDEX_BITS | u64::from(id.0), Ordering::Relaxed);
    }

    pub(crate) fn id(&self, exec: &mut Exec, place: Place) -> ObjId {
        // ORDER none: as in `remember`.
        let key = self.key.load(Ordering::Relaxed);
        if key >> INDEX_BITS == exec.epoch {
            return ObjId((key & ((1 << INDEX_BITS) - 1)) as u32);
        }
        // ORDER none: the initial value changes only through `&mut`.
        let init = self.init.load(Ordering::Relaxed);
        let id = exec.add_lazy_object(self.kind, init, std::ptr::from_ref(self).addr(), place);
        exec.obj_mut(id).label = self.label.get();
        self.remember(exec, id);
        id
    }

    /// The value outside any schedule: for `&mut` access, for debugging, and when no model runs.
    pub(crate) fn raw_value(&self) -> u64 {
        match try_runtime() {
            Some(rt) => {
                let id = self.id(&mut rt.exec, Location::caller());
                rt.exec.obj(id).val
            }
            // ORDER none: no model runs.
            None => self.init.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn set_raw_value(&mut self, value: u64) {
        match try_runtime() {
            Some(rt) => {
                let id = self.id(&mut rt.exec, Location::caller());
                rt.exec.obj_mut(id).val = value;
            }
            None => *self.init.get_mut() = value,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(rt) = try_runtime()
            && !rt.exec.lazy.is_empty()
            && *self.key.get_mut() >> INDEX_BITS == rt.exec.epoch
        {
            let id = self.id(&mut rt.exec, Location::caller());
            rt.exec.object_dropped(id);
        }
    }
}
