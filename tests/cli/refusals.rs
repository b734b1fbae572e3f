//! Every refusal to start is one line that says what is wrong and how to mend it, and an exit code.

use super::support::Client;
use super::support::outside::{has, not_run};
use super::support::process::{CORELANE, End, Process};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// Fails the test unless `end` is one line that begins so, and this exit code.
fn assert_refused(end: &End, code: i32, start: &str) {
    assert_eq!(end.code, Some(code), "{end:?}");
    let [line] = &end.lines[..] else {
        panic!("not one line: {end:?}")
    };
    let what = line
        .strip_prefix("corelane: ")
        .unwrap_or_else(|| panic!("{line}"));
    assert!(what.starts_with(start), "{line}, not {start}");
    let (_, mend) = what
        .split_once("; ")
        .unwrap_or_else(|| panic!("no mend: {line}"));
    assert!(!mend.is_empty(), "{line}");
}

#[test]
fn wrong_arguments() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "cores = 'many'\n").expect("a file");
    let (folder, file) = (
        folder.path().display().to_string(),
        file.display().to_string(),
    );
    let table = [
        (
            format!("serve {folder}/none"),
            format!("the folder {folder}/none does not exist"),
        ),
        (format!("serve {file}"), format!("{file} is not a folder")),
        (
            "demo --cores 1000".to_owned(),
            "cores: 1000 CPUs are asked for".to_owned(),
        ),
        (
            "demo --cores 900-900".to_owned(),
            "cores: CPU 900 may not be used here".to_owned(),
        ),
        (
            "demo --cores some".to_owned(),
            "--cores: 'some' is not a choice of CPUs".to_owned(),
        ),
        (
            "demo --listen 8080".to_owned(),
            "--listen: '8080'".to_owned(),
        ),
        (
            "demo --listen localhost:80".to_owned(),
            "--listen: 'localhost:80' names a host".to_owned(),
        ),
        (
            "demo --shutdown-timeout 5".to_owned(),
            "--shutdown-timeout: '5' has no unit".to_owned(),
        ),
        (
            "demo --stats-allow 10.0.0.1/8".to_owned(),
            "--stats-allow: '10.0.0.1/8'".to_owned(),
        ),
        (
            "demo --limit head_timeout=0s".to_owned(),
            "--limit head_timeout: 0ms is less than 1ms; give it".to_owned(),
        ),
        (
            "demo --limit head_timeout".to_owned(),
            "--limit head_timeout: '' is not a duration".to_owned(),
        ),
        (
            "demo --limit heads=1".to_owned(),
            "--limit heads: 'heads' is not a limit; name one of request_line_bytes,".to_owned(),
        ),
        (
            "demo --server-header \u{e9}".to_owned(),
            "--server-header: '\u{e9}' cannot be".to_owned(),
        ),
        (
            format!("demo --config {file}"),
            format!("{file}:1:9: cores: 'many'"),
        ),
        (
            format!("check --config {folder}/none"),
            format!("{folder}/none: cannot be read"),
        ),
    ];
    for (line, start) in table {
        let end = Process::start(line.split(' ')).end();
        assert_refused(&end, 2, &start);
    }
    // What is no option at all is told by the argument parser, with the usage.
    for line in [
        "",
        "nothing",
        "demo --nothing",
        "serve a b",
        "demo --no-stats --stats-allow ::/0",
    ] {
        let arguments = line.split(' ').filter(|word| !word.is_empty());
        let end = Process::start(arguments).end();
        assert_eq!(end.code, Some(2), "{line}: {end:?}");
        assert!(!end.lines.is_empty());
    }
}

#[test]
fn questions_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.toml");
    fs::write(&file, "cores = 1\nroot = '.'\n").expect("a file");
    let file = file.display();
    for line in [
        "--version",
        "--help",
        "serve --help",
        &format!("check --config {file}"),
    ] {
        let end = Process::start(line.split(' ')).end();
        assert_eq!((end.code, end.lines.len()), (Some(0), 0), "{line}: {end:?}");
    }
}

#[test]
fn an_address_in_use() {
    let plain = TcpListener::bind("127.0.0.1:0").expect("a port");
    let held = plain.local_addr().expect("its address");
    let mut corelane = Process::start(["demo", "--listen", "127.0.0.1:0"]);
    let ours = corelane.listening();
    for address in [held, ours] {
        let end = Process::start(["demo", "--listen", &address.to_string()]).end();
        assert_refused(&end, 1, &format!("{address} is in use"));
    }
    Client::connect(ours).assert_alive();
    let end = Process::start(["demo", "--listen", "203.0.113.255:0"]).end();
    assert_refused(
        &end,
        1,
        "no network interface has the address 203.0.113.255",
    );
}

/// A command that runs `corelane` without privileges, and the folder it was copied to.
fn unprivileged() -> Option<(Command, tempfile::TempDir)> {
    if !has("prlimit") || !has("setpriv") {
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
    // Where the program lies may be closed to others.
    let program = folder.path().join("corelane");
    fs::copy(CORELANE, &program).expect("a copy");
    let mut command = Command::new("setpriv");
    command.current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.args(["--inh-caps=-all", "--no-new-privs"]);
    Some((command, folder))
}

#[test]
fn too_little_locked_memory() {
    let Some((mut command, folder)) = unprivileged() else {
        return;
    };
    let program = folder.path().join("corelane");
    command
        .args(["prlimit", "--memlock=65536:65536", "--"])
        .arg(program);
    command.args(["demo", "--listen", "127.0.0.1:0", "--cores", "1"]);
    let end = Process::spawn(&mut command).end();
    assert_refused(
        &end,
        1,
        "the locked-memory limit of 64 KiB is too low for 1 core, which need",
    );
}

#[test]
fn without_privileges_it_serves() {
    let Some((mut command, folder)) = unprivileged() else {
        return;
    };
    let program = folder.path().join("corelane");
    command
        .arg(program)
        .args(["demo", "--listen", "127.0.0.1:0", "--cores", "1"]);
    let mut process = Process::spawn(&mut command);
    Client::connect(process.listening()).assert_alive();
    process.signal("TERM");
    assert_eq!(process.end().code, Some(0));
}

#[test]
fn io_uring_that_is_not_permitted() {
    if !has("strace") {
        return;
    }
    let table = [
        ("EPERM", "io_uring is not permitted here"),
        ("ENOSYS", "this kernel is built without io_uring"),
        ("ENOMEM", "the memory for a ring could not be had"),
    ];
    for (errno, start) in table {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = folder.path().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=io_uring_setup", "-e"]);
        command
            .arg(format!("inject=io_uring_setup:error={errno}"))
            .arg("-o")
            .arg(&trace);
        command.args(["--", CORELANE, "demo", "--listen", "127.0.0.1:0"]);
        let end = Process::spawn(&mut command).end();
        let traced = fs::read_to_string(&trace).unwrap_or_default();
        if !traced.contains("INJECTED") {
            not_run("strace may not trace here");
            return;
        }
        assert_refused(&end, 1, start);
    }
}
