//! `corelane top` in a terminal, which an emulator in Python is.

use super::support::outside::python;
use super::support::process::{CORELANE, Process};
use super::support::{Client, wait_until};
use std::io::{BufRead, BufReader, Lines, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const REQUIREMENTS: &str = include_str!("requirements.txt");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/terminal.py");

/// A terminal in which `corelane top` runs.
struct Terminal {
    script: Child,
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    fn start(python: &str, url: &str) -> Self {
        let mut script = Command::new(python)
            .args([SCRIPT, CORELANE, "top", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script starts");
        let answers = BufReader::new(script.stdout.take().expect("a pipe")).lines();
        Self {
            commands: script.stdin.take(),
            answers,
            script,
        }
    }

    /// Has it do these, one after the other.
    fn does(&mut self, commands: &[&str]) {
        for command in commands {
            let stdin = self.commands.as_mut().expect("it runs");
            writeln!(stdin, "{command}").expect("it reads");
            let answer = self.answers.next().map(|line| line.expect("text"));
            assert_eq!(answer.as_deref(), Some("ok"), "{command}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.commands.take());
        // It may have ended already, and that is what was wanted.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

fn demo(listen: &str) -> (Process, SocketAddr) {
    let mut process = Process::start(["demo", "--listen", listen]);
    let address = process.listening();
    (process, address)
}

#[test]
fn it_shows_a_server_and_waits_for_its_restart() {
    let Some(python) = python("pyte", REQUIREMENTS) else {
        return;
    };
    let (process, address) = demo("127.0.0.1:0");
    let url = format!("http://{address}");
    let mut client = Client::connect(address);
    client.get("/plaintext");
    client.response();
    let pid = format!("expect pid {},", process.id());
    let mut terminal = Terminal::start(&python, &url);
    terminal.does(&[
        &pid,
        "expect requests/s",
        "expect ▸10s",
        "expect GET /plaintext",
        // Right: a longer window.
        r#"press "\u001b[C""#,
        "expect ▸60s",
        r#"press "s""#,
        "expect ▾p99",
        r#"press "p""#,
        "expect paused",
        r#"press "p""#,
        "lack paused",
        "resize 120 40",
        "expect ▸60s",
        "resize 40 10",
        "expect requests/s",
        "resize 80 24",
        "expect GET /plaintext",
    ]);
    drop(process);
    terminal.does(&[&format!("expect waiting for {url}: ")]);
    let mut again = None;
    wait_until("the address is free again", || {
        let mut process = Process::start(["demo", "--listen", &address.to_string()]);
        let line = process.line("");
        again = line.starts_with("listening on ").then_some(process);
        again.is_some()
    });
    let pid = format!("expect pid {},", again.as_ref().expect("it runs").id());
    terminal.does(&[&pid, "lack waiting", r#"press "q""#, "end 0"]);
}

#[test]
fn each_way_out_gives_the_terminal_back() {
    let Some(python) = python("pyte", REQUIREMENTS) else {
        return;
    };
    let (_process, address) = demo("127.0.0.1:0");
    for way in [
        r#"press "q""#,
        // Control and C.
        r#"press "\u0003""#,
        "signal TERM",
        "signal INT",
        "signal HUP",
    ] {
        let mut terminal = Terminal::start(&python, &format!("http://{address}"));
        terminal.does(&["expect requests/s", way, "end 0"]);
    }
}

#[test]
fn once_is_for_scripts() {
    let (_process, address) = demo("127.0.0.1:0");
    let top = |arguments: &[&str]| {
        let output = Command::new(CORELANE).arg("top").args(arguments).output();
        let output = output.expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let url = format!("http://{address}");
    let (code, shown, errors) = top(&["--once", &url]);
    assert_eq!((code, &*errors), (Some(0), ""));
    assert!(
        shown.starts_with("corelane ") && shown.contains(" requests/s"),
        "{shown}"
    );
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let (code, shown, errors) = top(&[&url]);
    assert_eq!((code, &*shown), (Some(1), ""));
    assert!(
        errors.starts_with("corelane: standard output is not a terminal; "),
        "{errors}"
    );
    let (code, shown, errors) = top(&["--once", &format!("{url}/none/such")]);
    assert_eq!((code, &*shown), (Some(1), ""));
    assert!(errors.contains("/none/such: it answers 404"), "{errors}");
    let (code, _, errors) = top(&["https://a"]);
    assert_eq!(code, Some(2));
    assert!(
        errors.starts_with("corelane: URL: 'https://a' is https"),
        "{errors}"
    );
}
