//! `corelane serve` for who comes from `python -m http.server`.

use super::support::Client;
use super::support::process::{CORELANE, Process};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The statuses of these targets with `corelane serve ARGUMENTS`, run in the folder `current`.
fn asked(current: &Path, arguments: &str, targets: &[&str]) -> Vec<u16> {
    let mut command = Command::new(CORELANE);
    let command = command.arg("serve").args(arguments.split_whitespace());
    let mut process = Process::spawn(command.current_dir(current));
    let mut client = Client::connect(process.listening());
    let status = |target: &&str| {
        client.get(target);
        client.response().status
    };
    let statuses = targets.iter().map(status).collect();
    process.signal("TERM");
    assert_eq!(process.end().code, Some(0), "{arguments}");
    statuses
}

#[test]
fn its_words_are_understood() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["public/sub", "8000"] {
        fs::create_dir_all(folder.path().join(path)).expect("a folder");
    }
    for path in ["a.txt", "public/b.txt", "8000/c.txt"] {
        fs::write(folder.path().join(path), path).expect("a file");
    }
    fs::write(folder.path().join("c.toml"), "root = 'public'").expect("a file");
    let targets = ["/", "/a.txt", "/b.txt", "/c.txt"];
    let table = [
        ("0", [200, 200, 404, 404]),
        ("--bind 127.0.0.1 0", [200, 200, 404, 404]),
        ("-b ::1 -d public 0", [200, 404, 200, 404]),
        ("--bind localhost -d public 0", [200, 404, 200, 404]),
        ("--directory public 0", [200, 404, 200, 404]),
        ("--directory 8000 0", [200, 404, 404, 200]),
        ("./8000 --listen 127.0.0.1:0", [200, 404, 404, 200]),
        ("public --listen 127.0.0.1:0", [200, 404, 200, 404]),
        ("0 --listing off", [404, 200, 404, 404]),
        ("0 --config c.toml", [404, 404, 200, 404]),
        ("0 --config c.toml --listing on", [200, 404, 200, 404]),
    ];
    for (arguments, statuses) in table {
        assert_eq!(
            asked(folder.path(), arguments, &targets),
            statuses,
            "{arguments}"
        );
    }
}

#[test]
fn what_is_served_otherwise_than_it_looks_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["stats", "healthz", "here.html"] {
        fs::write(folder.path().join(name), name).expect("a file");
    }
    type Told<'a> = (&'a str, bool);
    let table: [(&[&str], &[Told<'_>]); 2] = [
        (
            &["--fallback", "/none.html", "--error-page", "404=/here.html"],
            &[
                ("path=\"/stats\"", true),
                ("path=\"/metrics\"", false),
                ("path=\"/healthz\"", true),
                ("none.html", true),
                ("here.html", false),
            ],
        ),
        (
            &["--no-stats", "--error-page", "404=/gone.html"],
            &[
                ("path=\"/stats\"", false),
                ("path=\"/healthz\"", true),
                ("gone.html", true),
            ],
        ),
    ];
    for (options, lines) in table {
        let mut command = Command::new(CORELANE);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        let mut process = Process::spawn(command.args(options).arg(folder.path()));
        process.line("listening on http://");
        for (line, is_told) in lines {
            assert_eq!(process.seen(line), *is_told, "{options:?}: {line}");
        }
        process.signal("TERM");
        process.end();
    }
}

#[test]
fn what_could_mean_two_things_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("2026")).expect("a folder");
    let table = [
        (
            "2026",
            "corelane: 2026 is a port, and there is a folder of that name; write ./2026 for the \
             folder, or --listen 127.0.0.1:2026",
        ),
        (
            "0 --listen 127.0.0.1:0",
            "corelane: --listen: the port 0 is given as well; leave one of them out, or write \
             ./0 for a folder",
        ),
        (
            ". -d .",
            "corelane: --directory: both . and . are to be served; name one folder",
        ),
    ];
    for (arguments, expected) in table {
        let mut command = Command::new(CORELANE);
        let command = command.arg("serve").args(arguments.split_whitespace());
        let end = Process::spawn(command.current_dir(folder.path())).end();
        assert_eq!(end.code, Some(2), "{arguments}");
        assert_eq!(end.lines, [expected], "{arguments}");
    }
}
