//! What the command prints, word for word. `TRYCMD=overwrite cargo test --test cli` takes over what it prints now.

#[test]
fn the_command_prints_what_it_should() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd");
}

#[test]
fn the_commands_on_the_pages_print_what_the_pages_say() {
    trycmd::TestCases::new()
        .case("docs/your-own-race.md")
        .case("docs/reading-a-counterexample.md")
        .case("docs/what-complete-means.md")
        .case("docs/reproducing-a-lock-order-bug.md");
}
