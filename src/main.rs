//! The binary: arguments in, exit status out. Everything else is the library's.

use std::process::ExitCode;

#[allow(clippy::disallowed_methods, reason = "shell")]
fn main() -> ExitCode {
    srvkeeper::cli::run(std::env::args_os()).into()
}
