//! try
use pagerace::scenario::{Limits, check, library};
fn main() {
    let only = std::env::args().nth(1);
    let preempt = std::env::args().nth(2).and_then(|p| p.parse().ok());
    for s in library() {
        if only.as_ref().is_some_and(|o| o != s.name && o != "all") {
            continue;
        }
        let limits = Limits { preemptions: preempt, ..Limits::default() };
        let e = limits.executions.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(std::time::Duration::from_secs(10));
                // ORDER none: a statistic.
                eprintln!("{}", e.load(std::sync::atomic::Ordering::Relaxed));
            }
        });
        let r = check(s, &limits);
        println!("{} {:?} {} {:?} {:?}", s.name, r.preemptions, r.executions, r.elapsed, r.verdict);
        for (o, n) in &r.reached {
            println!("   {n:8} {o}");
        }
    }
}
