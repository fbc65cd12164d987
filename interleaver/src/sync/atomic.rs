//! Atomics with the interface of the standard library. Each access is a step that the scheduler decides.

use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::{Handle, Orders, atomic};
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

pub use std::sync::atomic::Ordering;

/// A fence of the C11 model. Under sequential consistency it orders nothing new among atomics; it does extend
/// happens-before, as relaxed accesses around it are written to rely on.
#[track_caller]
pub fn fence(order: Ordering) {
    assert!(order != Ordering::Relaxed, "there is no such thing as a relaxed fence");
    if let Some(runtime) = crate::engine::rt::try_runtime() {
        let tid = runtime.exec.current;
        runtime.exec.happens.fence(tid, order);
    }
}

/// A fence between a thread and its own signal handlers; nothing to do here.
pub fn compiler_fence(_order: Ordering) {}

macro_rules! integer {
    ($name:ident, $t:ty, $text:literal) => {
        #[doc = concat!("An atomic `", $text, "`.")]
        pub struct $name {
            handle: Handle,
        }

        impl $name {
            /// Makes one that starts with this value.
            #[must_use]
            #[track_caller]
            pub fn new(value: $t) -> $name {
                $name { handle: Handle::new(ObjKind::Atomic, value as u64, Location::caller()) }
            }

            /// As `new`, for a `static`, which starts each execution with this value. Use `new` inside a model: an
            /// object that is made in a constant there, and first used when threads have taken steps already, cannot
            /// be recognized in other executions, and a search that meets one fails.
            #[must_use]
            pub const fn const_new(value: $t) -> $name {
                $name { handle: Handle::lazy(ObjKind::Atomic, value as u64) }
            }

            /// Gives it a name for traces.
            #[must_use]
            #[track_caller]
            pub fn named(mut self, label: &'static str) -> $name {
                self.handle.set_label(label);
                self
            }

            /// Says what it is called from now on, and how its values read, where a failure is told: a name that is
            /// known only at run time. Only replays keep it. A name that begins with the one before tells more of the
            /// same value, and holds for its past too.
            pub fn describe(&self, name: std::fmt::Arguments<'_>, value: fn(u64) -> String) {
                self.handle.describe(name, value);
            }

            #[track_caller]
            fn rmw(&self, operand: $t, order: Ordering, new: impl FnOnce($t) -> $t) -> $t {
                atomic(&self.handle, Kind::Rmw, operand as u64, 0, Orders::both(order), |old| new(old as $t) as u64)
                    as $t
            }

            /// Loads the value.
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $t {
                atomic(&self.handle, Kind::Load, 0, 0, Orders::both(order), |old| old) as $t
            }

            /// Stores a value.
            #[track_caller]
            pub fn store(&self, value: $t, order: Ordering) {
                atomic(&self.handle, Kind::Store, value as u64, 0, Orders::both(order), |_| value as u64);
            }

            /// Stores a value and returns the old one.
            #[track_caller]
            pub fn swap(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |_| value)
            }

            /// Stores `new` if the value is `current`.
            ///
            /// # Errors
            /// The value, when it was another.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $t,
                new: $t,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$t, $t> {
                let orders = Orders { success, failure };
                let old = atomic(&self.handle, Kind::Cas, current as u64, new as u64, orders, |_| new as u64) as $t;
                if old == current { Ok(old) } else { Err(old) }
            }

            /// As `compare_exchange`, but may fail although the value is `current`, as often as the check allows.
            ///
            /// # Errors
            /// The value, when nothing was stored.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $t,
                new: $t,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$t, $t> {
                let orders = Orders { success, failure };
                let old = atomic(&self.handle, Kind::CasWeak, current as u64, new as u64, orders, |_| new as u64) as $t;
                if old == current && !crate::engine::rt::failed_spuriously() { Ok(old) } else { Err(old) }
            }

            /// Updates the value by a loop of `compare_exchange_weak`.
            ///
            /// # Errors
            /// The value, when `f` gives none.
            #[track_caller]
            pub fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut f: impl FnMut($t) -> Option<$t>,
            ) -> Result<$t, $t> {
                let mut old = self.load(fetch);
                while let Some(new) = f(old) {
                    match self.compare_exchange_weak(old, new, set, fetch) {
                        Ok(old) => return Ok(old),
                        Err(now) => old = now,
                    }
                }
                Err(old)
            }

            /// Adds, wrapping around; returns the old value.
            #[track_caller]
            pub fn fetch_add(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |old| old.wrapping_add(value))
            }

            /// Subtracts, wrapping around; returns the old value.
            #[track_caller]
            pub fn fetch_sub(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |old| old.wrapping_sub(value))
            }

            /// Bitwise and; returns the old value.
            #[track_caller]
            pub fn fetch_and(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |old| old & value)
            }

            /// Bitwise nand; returns the old value.
            #[track_caller]
            pub fn fetch_nand(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |old| !(old & value))
            }

            /// Bitwise or; returns the old value.
            #[track_caller]
            pub fn fetch_or(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |old| old | value)
            }

            /// Bitwise xor; returns the old value.
            #[track_caller]
            pub fn fetch_xor(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |old| old ^ value)
            }

            /// Maximum; returns the old value.
            #[track_caller]
            pub fn fetch_max(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |old| old.max(value))
            }

            /// Minimum; returns the old value.
            #[track_caller]
            pub fn fetch_min(&self, value: $t, order: Ordering) -> $t {
                self.rmw(value, order, |old| old.min(value))
            }

            /// Runs `f` on the value, which nobody else can reach.
            pub fn with_mut<R>(&mut self, f: impl FnOnce(&mut $t) -> R) -> R {
                let mut value = self.handle.raw_value() as $t;
                let result = f(&mut value);
                self.handle.set_raw_value(value as u64);
                result
            }

            /// The value now, with no step and no ordering: for code that knows that nobody writes.
            ///
            /// # Safety
            /// Nobody may write at the same time; the checker does not look.
            #[must_use]
            pub unsafe fn unsync_load(&self) -> $t {
                self.handle.raw_value() as $t
            }

            /// The value, of an atomic that nobody shares any more.
            #[must_use]
            pub fn into_inner(self) -> $t {
                self.handle.raw_value() as $t
            }
        }

        impl Default for $name {
            #[track_caller]
            fn default() -> $name {
                $name::new(0)
            }
        }

        impl From<$t> for $name {
            #[track_caller]
            fn from(value: $t) -> $name {
                $name::new(value)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (self.handle.raw_value() as $t).fmt(f)
            }
        }
    };
}

integer!(AtomicU8, u8, "u8");
integer!(AtomicU16, u16, "u16");
integer!(AtomicU32, u32, "u32");
integer!(AtomicU64, u64, "u64");
integer!(AtomicUsize, usize, "usize");
integer!(AtomicI8, i8, "i8");
integer!(AtomicI16, i16, "i16");
integer!(AtomicI32, i32, "i32");
integer!(AtomicI64, i64, "i64");
integer!(AtomicIsize, isize, "isize");

/// An atomic `bool`.
#[derive(Default)]
pub struct AtomicBool(AtomicU8);

impl AtomicBool {
    /// Makes one that starts with this value.
    #[must_use]
    #[track_caller]
    pub fn new(value: bool) -> AtomicBool {
        AtomicBool(AtomicU8::new(u8::from(value)))
    }

    /// As `new`, for a `static`; see the other atomics.
    #[must_use]
    pub const fn const_new(value: bool) -> AtomicBool {
        AtomicBool(AtomicU8::const_new(value as u8))
    }

    /// Gives it a name for traces.
    #[must_use]
    #[track_caller]
    pub fn named(self, label: &'static str) -> AtomicBool {
        AtomicBool(self.0.named(label))
    }

    /// Loads the value.
    #[track_caller]
    pub fn load(&self, order: Ordering) -> bool {
        self.0.load(order) != 0
    }

    /// Stores a value.
    #[track_caller]
    pub fn store(&self, value: bool, order: Ordering) {
        self.0.store(u8::from(value), order);
    }

    /// Stores a value and returns the old one.
    #[track_caller]
    pub fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(u8::from(value), order) != 0
    }

    /// Stores `new` if the value is `current`.
    ///
    /// # Errors
    /// The value, when it was the other.
    #[track_caller]
    pub fn compare_exchange(
        &self,
        current: bool,
        new: bool,
        success: Ordering,
        failure: Ordering,
    ) -> Result<bool, bool> {
        let result = self.0.compare_exchange(u8::from(current), u8::from(new), success, failure);
        result.map(|v| v != 0).map_err(|v| v != 0)
    }

    /// As `compare_exchange`, but may fail although the value is `current`.
    ///
    /// # Errors
    /// The value, when nothing was stored.
    #[track_caller]
    pub fn compare_exchange_weak(
        &self,
        current: bool,
        new: bool,
        success: Ordering,
        failure: Ordering,
    ) -> Result<bool, bool> {
        let result = self.0.compare_exchange_weak(u8::from(current), u8::from(new), success, failure);
        result.map(|v| v != 0).map_err(|v| v != 0)
    }

    /// Logical and; returns the old value.
    #[track_caller]
    pub fn fetch_and(&self, value: bool, order: Ordering) -> bool {
        self.0.fetch_and(u8::from(value), order) != 0
    }

    /// Logical or; returns the old value.
    #[track_caller]
    pub fn fetch_or(&self, value: bool, order: Ordering) -> bool {
        self.0.fetch_or(u8::from(value), order) != 0
    }

    /// Logical xor; returns the old value.
    #[track_caller]
    pub fn fetch_xor(&self, value: bool, order: Ordering) -> bool {
        self.0.fetch_xor(u8::from(value), order) != 0
    }

    /// Logical nand; returns the old value.
    #[track_caller]
    pub fn fetch_nand(&self, value: bool, order: Ordering) -> bool {
        self.0.rmw(u8::from(value), order, |old| u8::from(old & u8::from(value) == 0)) != 0
    }

    /// Runs `f` on the value, which nobody else can reach.
    pub fn with_mut<R>(&mut self, f: impl FnOnce(&mut bool) -> R) -> R {
        self.0.with_mut(|v| {
            let mut value = *v != 0;
            let result = f(&mut value);
            *v = u8::from(value);
            result
        })
    }

    /// The value, of an atomic that nobody shares any more.
    #[must_use]
    pub fn into_inner(self) -> bool {
        self.0.into_inner() != 0
    }
}

impl fmt::Debug for AtomicBool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0.handle.raw_value() != 0).fmt(f)
    }
}

/// An atomic pointer.
pub struct AtomicPtr<T> {
    address: AtomicUsize,
    pointee: PhantomData<*mut T>,
}

// SAFETY: as the standard library's: it holds a pointer and gives no access to what it points to.
unsafe impl<T> Send for AtomicPtr<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for AtomicPtr<T> {}

fn expose<T>(pointer: *mut T) -> usize {
    pointer.expose_provenance()
}

fn pointer<T>(address: usize) -> *mut T {
    std::ptr::with_exposed_provenance_mut(address)
}

impl<T> AtomicPtr<T> {
    /// Makes one that starts with this pointer.
    #[must_use]
    #[track_caller]
    pub fn new(value: *mut T) -> AtomicPtr<T> {
        AtomicPtr { address: AtomicUsize::new(expose(value)), pointee: PhantomData }
    }

    /// Gives it a name for traces.
    #[must_use]
    #[track_caller]
    pub fn named(self, label: &'static str) -> AtomicPtr<T> {
        AtomicPtr { address: self.address.named(label), pointee: PhantomData }
    }

    /// Loads the pointer.
    #[track_caller]
    pub fn load(&self, order: Ordering) -> *mut T {
        pointer(self.address.load(order))
    }

    /// Stores a pointer.
    #[track_caller]
    pub fn store(&self, value: *mut T, order: Ordering) {
        self.address.store(expose(value), order);
    }

    /// Stores a pointer and returns the old one.
    #[track_caller]
    pub fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        pointer(self.address.swap(expose(value), order))
    }

    /// Stores `new` if the pointer is `current`.
    ///
    /// # Errors
    /// The pointer, when it was another.
    #[track_caller]
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        let result = self.address.compare_exchange(expose(current), expose(new), success, failure);
        result.map(pointer).map_err(pointer)
    }

    /// As `compare_exchange`, but may fail although the pointer is `current`.
    ///
    /// # Errors
    /// The pointer, when nothing was stored.
    #[track_caller]
    pub fn compare_exchange_weak(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        let result = self.address.compare_exchange_weak(expose(current), expose(new), success, failure);
        result.map(pointer).map_err(pointer)
    }

    /// Runs `f` on the pointer, which nobody else can reach.
    pub fn with_mut<R>(&mut self, f: impl FnOnce(&mut *mut T) -> R) -> R {
        self.address.with_mut(|address| {
            let mut value = pointer(*address);
            let result = f(&mut value);
            *address = expose(value);
            result
        })
    }

    /// The pointer, of an atomic that nobody shares any more.
    #[must_use]
    pub fn into_inner(self) -> *mut T {
        pointer(self.address.into_inner())
    }
}

impl<T> Default for AtomicPtr<T> {
    #[track_caller]
    fn default() -> AtomicPtr<T> {
        AtomicPtr::new(std::ptr::null_mut())
    }
}

impl<T> fmt::Debug for AtomicPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        pointer::<T>(self.address.handle.raw_value() as usize).fmt(f)
    }
}
