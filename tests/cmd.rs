//! Command lines and help texts as snapshots.
//!
//! After a change that is meant, regenerate and review the diff:
//! `TRYCMD=overwrite cargo test --test cmd`.

#[test]
fn command_lines_are_as_they_were() {
    trycmd::TestCases::new()
        .env("SRVKEEPER_CONFIG", "")
        .env("NO_COLOR", "1")
        .case("tests/cmd/*.trycmd")
        .run();
}
