//! corelane: the command.

use std::process::ExitCode;

fn main() -> ExitCode {
    corelane::cli::run()
}
