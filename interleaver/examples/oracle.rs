//! Compares the engine with brute force on many random programs.
//!
//! `cargo run --release -p interleaver --example oracle -- --family nested --programs 10000 --seed 1`

#[allow(dead_code)]
#[path = "../oracle/mod.rs"]
mod oracle;

use interleaver::Builder;
use oracle::compare::{Verdict, compare};
use oracle::engine::Making;
use oracle::generate::Family;
use std::process::ExitCode;

struct Options {
    family: Family,
    making: Making,
    programs: u64,
    seed: u64,
}

fn options() -> Result<Options, String> {
    let mut options = Options { family: Family::Flat, making: Making::AtOnce, programs: 10_000, seed: 1 };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{arg} wants a number, got {value:?}"));
        match (arg.as_str(), value.as_str()) {
            ("--family", "flat") => options.family = Family::Flat,
            ("--family", "nested") => options.family = Family::Nested,
            ("--family", _) => return Err(format!("{arg} wants flat or nested, got {value:?}")),
            ("--making", "at-once") => options.making = Making::AtOnce,
            ("--making", "at-first-use") => options.making = Making::AtFirstUse,
            ("--making", _) => return Err(format!("{arg} wants at-once or at-first-use, got {value:?}")),
            ("--programs", _) => options.programs = number()?,
            ("--seed", _) => options.seed = number()?,
            _ => {
                return Err(format!("unknown option {arg}; there are --family, --making, --programs and --seed"));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    let builder = Builder::new();
    let mut sum = Verdict::default();
    let (mut bad, mut counted) = (0, 0);
    for number in 0..options.programs {
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let program = options.family.program(seed);
        let verdict = compare(&program, &builder, options.making);
        if !verdict.is_good() {
            bad += 1;
            println!("program {seed}: {verdict:?} {program:?}");
        }
        sum.missed += verdict.missed;
        sum.invented += verdict.invented;
        sum.redundant += verdict.redundant;
        sum.blocked += verdict.blocked;
        sum.executions += verdict.executions;
        counted += u64::from(verdict.counted);
    }
    println!("programs              {}, {:?}, seed {}", options.programs, options.family, options.seed);
    println!("with traces counted   {counted}");
    println!("executions            {}", sum.executions);
    println!("missed outcomes       {}", sum.missed);
    println!("invented outcomes     {}", sum.invented);
    println!("redundant executions  {}", sum.redundant);
    println!("blocked executions    {}", sum.blocked);
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
