//! What a thread of the model keeps for itself.
//!
//! An engine runs many threads of a model on one of the host's, so a thread-local of the host would be shared by them;
//! each engine keeps one [`Locals`] for each of its own threads instead. It is ghost state: no engine sees an access.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

/// Values of one thread, one of each type.
#[derive(Debug, Default)]
pub struct Locals(RefCell<Vec<Rc<dyn Any>>>);

impl Locals {
    /// The thread's value of a type; the first time, a new one.
    pub fn get<T: Default + 'static>(&self) -> Rc<T> {
        let known = self.0.borrow().iter().find_map(|value| Rc::clone(value).downcast::<T>().ok());
        known.unwrap_or_else(|| {
            let value = Rc::new(T::default());
            self.0.borrow_mut().push(Rc::clone(&value) as Rc<dyn Any>);
            value
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use parking_lot::lock_api::Mutex;

    use super::*;
    use crate::platform::interleaved::{Interleaved, Search, explore};
    use crate::platform::loom::{Bounds, Environment, Loom, explore as explore_on_loom};
    use crate::platform::{Arc, Native, NewLock, Platform, TwoLevels, Verdict, Watch, X86_64};

    fn add<P: Platform>(by: usize) -> Option<usize> {
        P::with_locals(|locals| {
            let sum = locals.get::<Cell<usize>>();
            sum.set(sum.get() + by);
            sum.get()
        })
    }

    /// Two threads that meet at a lock between their additions: each has its own sum.
    fn each_thread_has_its_own<P: Platform>() {
        let lock = Arc::new(Mutex::from_raw(P::RawSpin::new_lock("a lock"), ()));
        assert_eq!(add::<P>(100), Some(100));
        let threads = [1, 2].map(|by| {
            let lock = Arc::clone(&lock);
            P::spawn(format!("T{by}"), move || {
                assert_eq!(add::<P>(by), Some(by));
                drop(lock.lock());
                assert_eq!(add::<P>(by), Some(2 * by));
            })
        });
        threads.into_iter().for_each(P::join);
        assert_eq!(add::<P>(1), Some(101));
    }

    #[test]
    fn a_value_is_its_threads_own_on_every_engine_and_new_in_every_execution() {
        let body = each_thread_has_its_own::<Interleaved<TwoLevels>>;
        let report = explore("locals", Search::Everything, &Watch::default(), body);
        assert_eq!((report.verdict, report.executions), (Verdict::Holds, 2));
        let bounds = Bounds { actors: 2, preemptions: None, environment: Environment::Yields };
        let body = each_thread_has_its_own::<Loom<TwoLevels>>;
        assert_eq!(explore_on_loom(bounds, &Watch::default(), body).verdict, Verdict::Holds);
        std::thread::spawn(each_thread_has_its_own::<Native<X86_64>>).join().expect("no assertion fails");
    }

    #[test]
    fn outside_of_a_model_a_checker_has_none() {
        assert_eq!(add::<Interleaved<TwoLevels>>(1), None);
        assert_eq!(add::<Loom<TwoLevels>>(1), None);
    }

    #[test]
    fn there_is_one_value_of_each_type() {
        let locals = Locals::default();
        locals.get::<Cell<u8>>().set(3);
        locals.get::<Cell<u16>>().set(4);
        assert_eq!((locals.get::<Cell<u8>>().get(), locals.get::<Cell<u16>>().get()), (3, 4));
    }
}
