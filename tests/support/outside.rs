//! The programs of others that the server is tried against. A missing one is no failure on a
//! developer's machine, and is one where `CI=true`.

use std::process::{Command, Output};

/// Whether `program` can be run. If it cannot, that is said loudly, or fails the test in CI.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    found || not_run(&format!("{program} is missing"))
}

/// The Python that has `package` in the version that `requirements` pins: the one that the
/// environment variable `TEST_PYTHON` names, or `python3`. If it has not, that is said like that of
/// a missing program; `.ci/run` installs what there is in `requirements.txt` files.
pub(crate) fn python(package: &str, requirements: &str) -> Option<String> {
    let python = std::env::var("TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let print = format!(
        "from importlib.metadata import version; print('{package}==' + version('{package}'))"
    );
    let asked = Command::new(&python).args(["-c", &print]).output();
    let found = asked.map_or(Vec::new(), |output| output.stdout);
    let found = String::from_utf8_lossy(&found);
    let wanted = |line: &&str| line.starts_with(&format!("{package}=="));
    let wanted = requirements.lines().find(wanted);
    let wanted = wanted.unwrap_or_else(|| panic!("{package} is pinned"));
    let has = found.trim() == wanted
        || not_run(&format!(
            "{python} has no {wanted}, but \"{}\"",
            found.trim()
        ));
    has.then_some(python)
}

/// Says that a test was not run and why; fails it in CI. Returns false.
pub(crate) fn not_run(why: &str) -> bool {
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "cannot run here: {why}"
    );
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("NOT RUN: {test}: {why}");
    false
}

/// Runs a program to its end, which must be a success, and returns what it wrote.
pub(crate) fn run(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("it can be run");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}\n{stderr}"
    );
    stdout.into_owned()
}
