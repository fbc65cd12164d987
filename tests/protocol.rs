//! Forms that must not compile: the types hold the protocol, and these programs break it.
//!
//! The `.stderr` files say for which reason each is refused: a program that fails for another one is no proof. After a
//! change of the compiler, look at the new reasons and take them over with `TRYBUILD=overwrite`.

use pagerace::locks::{ReadGuard, SpinGuard, WriteGuard};
use pagerace::mm::{FaultLock, LockedTable};
use pagerace::platform::loom::Loom;
use pagerace::platform::{Native, TwoLevels, X86_64};

#[test]
fn programs_that_break_the_protocol_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/protocol/*.rs");
}

/// Two implementations fit a type that is `Send`, and then nobody can say which `HELD` is meant.
trait StaysOnItsThread<Ambiguous> {
    const HELD: () = ();
}

impl<T> StaysOnItsThread<()> for T {}
impl<T: Send> StaysOnItsThread<u8> for T {}

/// A lock is released by the thread that took it. That this file compiles is the proof; the compiler's reasons against
/// it name the insides of other crates, so they are not kept as a `.stderr`.
const _: () = {
    let () = <SpinGuard<'_, Native<X86_64>, ()> as StaysOnItsThread<_>>::HELD;
    let () = <ReadGuard<'_, Native<X86_64>, ()> as StaysOnItsThread<_>>::HELD;
    let () = <WriteGuard<'_, Native<X86_64>, ()> as StaysOnItsThread<_>>::HELD;
    let () = <SpinGuard<'_, Loom<TwoLevels>, ()> as StaysOnItsThread<_>>::HELD;
    let () = <ReadGuard<'_, Loom<TwoLevels>, ()> as StaysOnItsThread<_>>::HELD;
    let () = <WriteGuard<'_, Loom<TwoLevels>, ()> as StaysOnItsThread<_>>::HELD;
    let () = <FaultLock<'_, Native<X86_64>> as StaysOnItsThread<_>>::HELD;
    <LockedTable<'_, Native<X86_64>> as StaysOnItsThread<_>>::HELD
};
