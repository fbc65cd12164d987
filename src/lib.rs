//! A concurrency stress and model-checking harness around the Linux page-fault path.
pub mod locks;
pub mod phys;
pub mod platform;
pub mod x86;
