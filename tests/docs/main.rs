//! The pages of `docs/` that teach: their code is compiled and run here, and is what stands on the page, word for word.
//! Their commands are run by `tests/cli.rs`.

mod counterexample;
mod lock_order;
#[path = "../process/mod.rs"]
mod process;
mod your_own_race;

/// The blocks of Rust of a page, one after the other.
fn rust_blocks(page: &str) -> String {
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("rust\n"));
    blocks.collect::<Vec<_>>().join("\n")
}

/// What follows the comment at the head of a file.
fn body(file: &str) -> &str {
    file.split_once("\n\n").expect("a blank line after the comment").1
}

#[test]
fn the_code_on_a_page_is_the_code_that_runs() {
    let pages = [
        (include_str!("../../docs/your-own-race.md"), include_str!("your_own_race.rs")),
        (include_str!("../../docs/reproducing-a-lock-order-bug.md"), include_str!("lock_order.rs")),
    ];
    for (page, file) in pages {
        assert_eq!(rust_blocks(page), body(file));
    }
}
