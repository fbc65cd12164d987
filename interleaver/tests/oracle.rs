//! A thousand random programs: the engine's outcomes are those of brute force, each trace explored once.

#[allow(dead_code)]
#[path = "../oracle/mod.rs"]
mod oracle;

use interleaver::Builder;
use oracle::program::Program;

#[test]
fn a_thousand_random_programs_agree_with_brute_force() {
    let builder = Builder::new();
    let mut counted = 0;
    for seed in 0..1_000 {
        let program = Program::random(seed);
        let verdict = oracle::compare(&program, &builder);
        assert!(verdict.is_good(), "seed {seed}: {verdict:?} {:?}", program.threads);
        counted += u32::from(verdict.counted);
    }
    assert!(counted > 700, "only {counted} programs were small enough to count their traces");
}
