//! Where decisions come from: the optimal search, and the other strategies on the same scheduler.

pub(crate) mod bounded;
pub(crate) mod decide;
pub(crate) mod plan;
pub(crate) mod sampler;
pub(crate) mod shared;
pub(crate) mod tree;
pub(crate) mod wakeup;
