//! What the compiler says of the mistakes that are easily made leads to their mending.
//!
//! Each file in `mistakes/` is one, and beside it stands what a reader of it is told.
//! `TRYBUILD=overwrite cargo test --all-features --test mistakes` writes that down anew.

#[test]
fn the_compiler_says_what_to_mend() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
