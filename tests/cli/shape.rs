//! What the running server looks like from outside: threads, CPUs, sockets, addresses.

use super::support::outside::not_run;
use super::support::process::Process;
use super::support::{Client, fresh_stats, number};
use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};

/// For each thread of the process: its name and the CPUs that it may use.
fn threads(id: u32) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).expect("its threads");
    let thread = |task: std::io::Result<fs::DirEntry>| {
        let path = task.expect("a thread").path();
        let name = fs::read_to_string(path.join("comm")).expect("its name");
        let status = fs::read_to_string(path.join("status")).expect("its status");
        let cpus = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        (
            name.trim().to_owned(),
            cpus.expect("its CPUs").trim().to_owned(),
        )
    };
    tasks.map(thread).collect()
}

/// Listening TCP sockets of this machine on an IPv4 port.
fn listening(address: SocketAddr) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").expect("the sockets");
    let local = format!(":{:04X}", address.port());
    let is_listening = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[1].ends_with(&local) && fields[3] == "0A"
    };
    table.lines().skip(1).filter(is_listening).count()
}

/// Numbers of the CPUs that this process may use.
fn cpus() -> Vec<usize> {
    core_affinity::get_core_ids()
        .expect("the CPUs")
        .iter()
        .map(|core| core.id)
        .collect()
}

#[test]
fn one_pinned_thread_and_one_socket_for_each_core() {
    let all = cpus();
    let last = all.last().copied().expect("a CPU");
    for (cores, expected) in [
        (all.len().to_string(), all.clone()),
        ("1".into(), vec![all[0]]),
        (format!("{last}-{last}"), vec![last]),
    ] {
        let mut process = Process::start(["demo", "--listen", "127.0.0.1:0", "--cores", &cores]);
        let address = process.listening();
        let expected: BTreeSet<_> = expected.iter().map(ToString::to_string).collect();

        let shards: Vec<_> = threads(process.id())
            .into_iter()
            .filter(|(name, _)| name.starts_with("shard-"))
            .collect();
        assert_eq!(shards.len(), expected.len(), "--cores {cores}: {shards:?}");
        let pinned: BTreeSet<_> = shards.into_iter().map(|(_, cpus)| cpus).collect();
        assert_eq!(pinned, expected, "--cores {cores}");
        assert_eq!(listening(address), expected.len(), "--cores {cores}");

        let stats = fresh_stats(address);
        let told: BTreeSet<_> = stats["cores"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|core| number(core, "/core").to_string())
            .collect();
        assert_eq!(told, expected, "{stats}");
        assert_eq!(number(&stats, "/server/pid"), u64::from(process.id()));
        process.signal("TERM");
        assert_eq!(process.end().code, Some(0));
    }
}

#[test]
fn several_addresses_of_both_families() {
    let mut arguments = vec!["demo", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"];
    if TcpListener::bind("[::1]:0").is_ok() {
        arguments.extend(["--listen", "[::1]:0"]);
    } else {
        not_run("the machine has no IPv6");
    }
    let mut process = Process::start(&arguments);
    let addresses: BTreeSet<_> = (0..arguments.len() / 2)
        .map(|_| process.listening())
        .collect();
    assert_eq!(addresses.len(), arguments.len() / 2, "{addresses:?}");
    for address in &addresses {
        assert_ne!(address.port(), 0);
        for _ in 0..8 {
            Client::connect(*address).assert_alive();
        }
    }
    process.signal("INT");
    assert_eq!(process.end().code, Some(0));
}

#[test]
fn a_folder_is_served_as_it_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("index.html"), "<p>here").expect("a file");
    let path = folder.path().to_str().expect("text");
    let mut process = Process::start(["serve", path, "--listen", "127.0.0.1:0"]);
    let mut client = Client::connect(process.listening());
    client.get("/");
    assert_eq!(client.response().text(), "<p>here");
    client.get("/stats");
    assert_eq!(client.response().status, 200);

    let mut process = Process::start(["serve", path, "--no-stats", "--listen", "127.0.0.1:0"]);
    let mut client = Client::connect(process.listening());
    for target in ["/stats", "/stats?fresh=1", "/none"] {
        client.get(target);
        let response = client.response();
        assert_eq!(
            (response.status, response.text()),
            (404, "404 Not Found\n"),
            "{target}"
        );
    }
}

#[test]
fn the_demo_application_is_what_is_documented() {
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0"]);
    let mut client = Client::connect(process.listening());
    let text = "text/plain; charset=utf-8";
    let table = [
        ("/", text, "Hello, Anonymous"),
        ("/World", text, "Hello, World"),
        ("/J%C3%BCrgen%20M", text, "Hello, J\u{fc}rgen M"),
        ("/plaintext", text, "Hello, World!"),
        (
            "/json",
            "application/json",
            "{\"message\":\"Hello, World!\"}",
        ),
    ];
    for (path, media, expected) in table {
        client.get(path);
        let response = client.response();
        assert_eq!(
            (response.status, response.text()),
            (200, expected),
            "{path}"
        );
        assert_eq!(response.field("content-type"), Some(media), "{path}");
    }
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.response().text(), "hi");
}

#[test]
fn the_address_of_the_statistics_has_a_line_of_its_own_behind_the_services() {
    let any = "127.0.0.1:0";
    let arguments = [
        "demo",
        "--stats-listen",
        any,
        "--listen",
        any,
        "--listen",
        any,
    ];
    let mut process = Process::start(arguments);
    let lines: Vec<_> = (0..3).map(|_| process.line("http://")).collect();
    let starts = [
        "listening on http://",
        "listening on http://",
        "statistics on http://",
    ];
    let addresses: Vec<SocketAddr> = lines
        .iter()
        .zip(starts)
        .map(|(line, start)| {
            let address = line.strip_prefix(start);
            let address = address.unwrap_or_else(|| panic!("{start} in {lines:?}"));
            address.parse().expect("an address")
        })
        .collect();
    let mut client = Client::connect(addresses[2]);
    client.get("/stats");
    assert_eq!(client.response().status, 200);
    assert_eq!(listening(addresses[2]), cpus().len());
    process.signal("TERM");
    assert_eq!(process.end().code, Some(0));
}
