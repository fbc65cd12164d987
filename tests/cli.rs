//! What the command prints, word for word. `TRYCMD=overwrite cargo test --test cli` takes over what it prints now.

#[test]
fn the_command_prints_what_it_should() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd");
}
