//! What the main thread does before it spawns another one.
//!
//! It comes before everything else in every execution, so the search need not know it: an operation of an atomic
//! changes the value with which the atomic begins, and is no event. Operations that block, or that can go in several
//! ways, are events even then.

use super::exec::Exec;
use super::op::{Kind, ObjId, Tid};
use super::rt::Orders;

impl Exec {
    /// Whether an operation of an atomic is no event. Not after too many of them: what never ends is found by those
    /// that count its steps.
    pub(crate) fn is_alone(&self, kind: Kind, obj: ObjId) -> bool {
        self.spawned.len() == 1
            && self.alone < self.limits.max_steps
            && matches!(kind, Kind::Load | Kind::Store | Kind::Rmw | Kind::Cas)
            && !self.obj(obj).last_change.exists()
    }

    /// Takes it; the old value.
    pub(crate) fn perform_alone(
        &mut self,
        kind: Kind,
        obj: ObjId,
        a: u64,
        orders: Orders,
        new: impl FnOnce(u64) -> u64,
    ) -> u64 {
        let old = self.obj(obj).val;
        let after = match kind {
            Kind::Store => {
                self.happens.store(Tid::MAIN, obj, orders.success);
                a
            }
            Kind::Rmw => {
                self.happens.update(Tid::MAIN, obj, orders.success);
                new(old)
            }
            Kind::Cas if old == a => {
                self.happens.update(Tid::MAIN, obj, orders.success);
                new(old)
            }
            Kind::Cas => {
                self.happens.load(Tid::MAIN, obj, orders.failure);
                old
            }
            _ => {
                self.happens.load(Tid::MAIN, obj, orders.success);
                old
            }
        };
        self.alone += 1;
        let obj = self.obj_mut(obj);
        (obj.init, obj.val) = (after, after);
        old
    }
}
