//! The scenario library under loom; see `tests/`.
