use pagerace::{mm::*, phys::*, platform::*, x86::*};
fn main() {
    let m = Machine::<Story>::boot(&PhysConfig::linux(Pfn::truncate(0x100), 2000, 1)).unwrap();
    let mm = Mm::new(Arc::new(m), CpuId::new(0)).unwrap();
    mmap(&mm, Placement::Fixed(VirtAddr::new(0x1000, X86_64::GEOMETRY).unwrap()), 8192, Protection::READ | Protection::WRITE).unwrap();
    let t = Task::new(CpuId::new(0));
    let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Process::new(&mm, &t).execute(Mode::User, Instruction::store(VirtAddr::new(0x1000, X86_64::GEOMETRY).unwrap(), 9))));
    for e in Story::take().iter().take(120) { println!("{e:?}"); }
    println!("{:?}", r.is_ok());
}
