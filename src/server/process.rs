//! What the process takes for itself, and what it denies to others.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Takes as many file descriptors as the system allows, as Go's runtime does (`os/rlimit.go`): the soft limit is low
/// for the sake of `select`, which nobody here uses.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // What is there has to do, then: connections beyond it take the place of others.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// Leaves no image of the memory, where the tokens are: neither as a core dump nor to another process of the same user
/// (<https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html>). The limit alone would not do, for it does not
/// count where dumps are piped to a program (<https://man7.org/linux/man-pages/man5/core.5.html>).
pub fn forbid_dumps() {
    // Neither can fail for a process that only takes from itself; if it does, nothing else depends on it.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn no_image_of_the_memory_is_left() {
        forbid_dumps();
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    }
}
