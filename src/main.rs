//! corelane: the command.
fn main() {}
