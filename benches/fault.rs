//! What a native fault costs: the first write to a page, the first read, the first write after a read, and an access
//! that does not fault, side by side in one run.

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use pagerace::actors::munmap;
use pagerace::mm::{Generation, Mm, Placement, Process, Protection, Task, mmap};
use pagerace::phys::{CpuId, Pfn, PhysConfig};
use pagerace::platform::{Arc, Geometry, Native, Platform, X86_64};
use pagerace::x86::{Completion, Instruction, Machine, Mode, VirtAddr};

type P = Native<X86_64>;

const G: Geometry = P::GEOMETRY;
const CPU: CpuId = CpuId::new(0);
/// Pages of one mapping: one PTE table's worth, so that table allocation is amortised as it is in real programs.
const PAGES: u64 = 512;

fn mm() -> Mm<P> {
    let config = PhysConfig::linux(Pfn::truncate(0x1000), 4096, 1);
    let machine = Machine::boot(&config).expect("16 MiB of memory");
    Mm::new(Arc::new(machine), Generation::G6, CPU).expect("a frame for the root table")
}

fn each_page(start: VirtAddr, mut access: impl FnMut(VirtAddr)) {
    (0..PAGES).map(|page| start.offset(page * G.page_size())).for_each(&mut access);
}

/// Maps a region, does `prepare` to each page, and times `measured` on each page; then unmaps it.
fn time(
    iterations: u64,
    prepare: Option<fn(VirtAddr) -> Instruction>,
    measured: fn(VirtAddr) -> Instruction,
) -> Duration {
    let (mm, task) = (mm(), Task::new(CPU));
    let execute = |instruction| {
        let completion = Process::new(&mm, &task).execute(Mode::User, instruction);
        assert!(matches!(completion, Completion::Done(_)), "{instruction} ended with {completion:?}");
    };
    let mut elapsed = Duration::ZERO;
    for _ in 0..iterations.div_ceil(PAGES) {
        let rights = Protection::READ | Protection::WRITE;
        let start = mmap(&mm, Placement::Anywhere, PAGES * G.page_size(), rights).expect("user space has room");
        if let Some(prepare) = prepare {
            each_page(start, |address| execute(prepare(address)));
        }
        let started = Instant::now();
        each_page(start, |address| execute(measured(address)));
        elapsed += started.elapsed();
        munmap(&mm, CPU, start, PAGES * G.page_size()).expect("the region was mapped");
    }
    // Whole regions were measured; criterion counts single accesses.
    elapsed.mul_f64(iterations as f64 / (iterations.div_ceil(PAGES) * PAGES) as f64)
}

fn write(address: VirtAddr) -> Instruction {
    Instruction::store(address, 7)
}

fn read(address: VirtAddr) -> Instruction {
    Instruction::Load(address)
}

fn faults(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fault");
    group.bench_function("write", |bench| bench.iter_custom(|iterations| time(iterations, None, write)));
    group.bench_function("read", |bench| bench.iter_custom(|iterations| time(iterations, None, read)));
    group.bench_function("write after read", |bench| {
        bench.iter_custom(|iterations| time(iterations, Some(read), write))
    });
    group.bench_function("no fault", |bench| bench.iter_custom(|iterations| time(iterations, Some(write), write)));
    group.finish();
}

criterion_group!(benches, faults);
criterion_main!(benches);
