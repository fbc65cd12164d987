//! Thread-locals of the model: each of its threads, in each execution, starts without a value.

use crate::engine::op::Tid;
use crate::engine::rt;

/// A thread-local value; made by `thread_local!`.
pub struct LocalKey<T: 'static> {
    #[doc(hidden)]
    pub init: fn() -> T,
}

impl<T: 'static> std::fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

impl<T: 'static> LocalKey<T> {
    /// Runs `f` on this thread's value, made at the first use.
    ///
    /// # Panics
    /// Outside a model.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.with_in(rt::runtime(), f)
    }

    /// As [`LocalKey::with`]; outside a model there is no value, and `f` does not run.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Option<R> {
        rt::try_runtime().map(|runtime| self.with_in(runtime, f))
    }

    fn with_in<R>(&'static self, runtime: &mut rt::Runtime, f: impl FnOnce(&T) -> R) -> R {
        let key = std::ptr::from_ref(self).addr();
        let tid = runtime.exec.current;
        let known = runtime.pool.seat(tid).locals.iter().any(|(k, _)| *k == key);
        if !known {
            let value: Box<dyn std::any::Any> = Box::new((self.init)());
            rt::runtime().pool.seat(tid).locals.push((key, value));
        }
        let locals = &rt::runtime().pool.seat(tid).locals;
        let found = locals.iter().find(|(k, _)| *k == key).and_then(|(_, v)| v.downcast_ref::<T>());
        let value: *const T = found.expect("it was made above, with this type");
        // SAFETY: the value is boxed and is dropped when the thread ends, which cannot be while it runs `f`.
        f(unsafe { &*value })
    }
}

/// Drops a thread's values, in the thread, newest first.
pub(crate) fn drop_all(tid: Tid) {
    while let Some(entry) = rt::try_runtime().and_then(|r| r.pool.seat(tid).locals.pop()) {
        drop(entry);
    }
}

/// Declares thread-locals of the model, in the syntax of the standard library.
#[macro_export]
macro_rules! thread_local {
    () => {};
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = const { $init:expr } $(; $($rest:tt)*)?) => {
        $crate::thread_local!($(#[$attr])* $vis static $name: $t = $init $(; $($rest)*)?);
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = $init:expr $(; $($rest:tt)*)?) => {
        $(#[$attr])*
        $vis static $name: $crate::thread::LocalKey<$t> = $crate::thread::LocalKey { init: || $init };
        $($crate::thread_local!($($rest)*);)?
    };
}
