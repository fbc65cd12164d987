//! A concurrency stress and model-checking harness around the Linux page-fault path.
pub mod actors;
pub mod cli;
pub mod failure;
pub mod flood;
pub mod history;
pub mod locks;
pub mod mm;
pub mod oracle;
pub mod phys;
pub mod platform;
pub mod scenario;
pub mod stress;
pub mod x86;
