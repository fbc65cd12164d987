//! Tests as they are written for loom, run under loom and, with nothing but the import changed, under interleaver.

#![expect(clippy::duplicate_mod, reason = "the same text under two checkers is the point")]

#[path = "."]
mod on_interleaver {
    use interleaver as loom;

    mod patterns;
}

#[path = "."]
mod on_loom {
    use ::loom;

    mod patterns;
}
