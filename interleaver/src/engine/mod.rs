//! One execution of the code under test: what operations mean, how events depend on one another, and who runs.

pub(crate) mod again;
pub(crate) mod alone;
pub(crate) mod clock;
pub(crate) mod coro;
pub(crate) mod depend;
pub(crate) mod describe;
pub(crate) mod exec;
pub(crate) mod happens;
pub(crate) mod hook;
pub(crate) mod machine;
pub(crate) mod op;
pub(crate) mod race;
pub(crate) mod retained;
pub(crate) mod rt;
pub(crate) mod spin;
pub(crate) mod tell;
