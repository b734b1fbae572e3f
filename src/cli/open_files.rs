//! The limit of open files, of which the program takes as much as it may.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. It is low, 1,024 as a rule, for the sake of programs that call
/// `select(2)`, which knows no higher descriptors; this one does not.
pub(super) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Where it is refused the limit stays as it is, and is told by doctor.
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        let _ = setrlimit(Resource::Nofile, raised);
    }
}
