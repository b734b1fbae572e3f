//! What is refused, by whom, and with which page; and what the server answers itself.

use super::*;
use crate::support::process::unprivileged;
use std::os::unix::fs::PermissionsExt;

const REFUSED_TARGET: &str =
    "it is no request: The request target contains a character that is not allowed there.";

#[test]
fn errors_and_their_pages_are_told() {
    assert_alike(&[
        ("GET", "/none", &["Accept: text/html"], 404, "none: missing"),
        ("GET", "/none", &["Range: bytes=0-0"], 404, "sub/index.html"),
        ("HEAD", "/none", &[], 404, "sub/index.html"),
        (
            "GET",
            "/none",
            &["Accept: application/json"],
            404,
            "none: missing",
        ),
        (
            "GET",
            "/%00",
            &[],
            400,
            "none: none.html cannot be read, and the error is written without it",
        ),
    ]);
}

#[test]
fn what_is_no_matter_of_files_is_told() {
    assert_alike(&[
        ("GET", "/%zz", &[], 400, REFUSED_TARGET),
        (
            "GET",
            "*",
            &[],
            400,
            "it is no request: The request target has no form that this method may use.",
        ),
        ("POST", "/a.css", &[], 405, "only GET and HEAD are served"),
        ("OPTIONS", "*", &[], 204, "only GET and HEAD are served"),
        (
            "GET",
            "/healthz",
            &[],
            200,
            "answers itself: whether it serves, for all",
        ),
        (
            "POST",
            "/healthz",
            &[],
            405,
            "answers itself: whether it serves, for all",
        ),
        (
            "OPTIONS",
            "/metrics",
            &[],
            204,
            "answers itself: its statistics, for those admitted, such as peers on this machine",
        ),
        ("GET", "/stats", &["Via: 1.1 x"], 404, "stats: missing"),
    ]);
}

#[test]
fn statistics_are_explained_where_they_are() {
    let folder = folder();
    let table: &[(&[&str], u64)] = &[
        (&[], 200),
        (&["--no-stats"], 404),
        (&["--stats-listen", "127.0.0.1:9"], 404),
    ];
    for (options, status) in table {
        for target in ["/stats", "/metrics"] {
            let mut command = Command::new(CORELANE);
            command.arg("explain").arg(target).arg(folder.path());
            command.args(*options).arg("--json");
            let told: Value = serde_json::from_str(&outside::run(&mut command)).expect("JSON");
            assert_eq!(told["status"], *status, "{options:?} {target}: {told}");
            // What they are, and how long, is known when they are asked for.
            let fields = told["fields"].as_array().expect("a list");
            let has_length = fields.iter().any(|field| field[0] == "content-length");
            assert_eq!(has_length, *status == 404, "{told}");
        }
    }
}

/// A server answers to these as well.
#[test]
fn what_a_server_refuses_is_explained() {
    let folder = folder();
    let long = format!("/{}", "a".repeat(9000));
    let table: &[(&[&str], u64, &str)] = &[
        (&["no-slash"], 400, "no form that this method may use"),
        (&["/a b"], 400, "a target and a version"),
        (&["/%zz"], 400, "a character that is not allowed"),
        (&[&long], 414, "longer than this server accepts"),
        (&["/", "--header", "none"], 400, "no valid field name"),
        (&["/", "--method", "G T"], 400, "one space between"),
    ];
    for (arguments, status, why) in table {
        let mut command = Command::new(CORELANE);
        command.arg("explain").args(*arguments).arg("--json");
        command.arg("--directory").arg(folder.path());
        let told: Value = serde_json::from_str(&outside::run(&mut command)).expect("JSON");
        assert_eq!(told["status"], *status, "{arguments:?}: {told}");
        let point = &told["points"][0];
        assert_eq!(point["about"], "refused", "{told}");
        let what = point["what"].as_str().expect("text");
        assert!(what.contains(why), "{told}");
    }
}

#[test]
fn what_cannot_be_read_is_explained_as_it_is_served() {
    let folder = folder();
    let root = folder.path();
    let forbid = |name: &str, mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(root.join(name), mode).expect("its mode");
    };
    for name in ["noenter", "enter"] {
        fs::create_dir(root.join(name)).expect("a folder");
        fs::write(root.join(name).join("a.txt"), "a").expect("a file");
    }
    forbid("noenter", 0);
    forbid("enter", 0o311);
    forbid("a.css.gz", 0);
    forbid("b.raw", 0);
    fs::write(root.join("stale.css.gz"), "newer").expect("a file");
    forbid("stale.css", 0);
    let options = ["--listing", "on", "--cores", "1"];
    let mut serve = unprivileged(CORELANE);
    serve.arg("serve").arg(root).args(options);
    let mut serving = Process::spawn(serve.args(["--listen", "127.0.0.1:0"]));
    let line = serving.line("listening on http://");
    let address = line.rsplit("http://").next().expect("an address");
    let mut client = Client::connect(address.parse().expect("an address"));
    let coded = "Accept-Encoding: gzip";
    let table: &[(&str, &str, u16, &str)] = &[
        ("/a.css", coded, 200, "a.css.gz: permissions forbid it"),
        ("/b.raw", coded, 404, "b.raw: permissions forbid it"),
        // What lies beside it may be read.
        ("/stale.css", coded, 404, "stale.css: permissions forbid it"),
        ("/noenter", coded, 404, "permissions forbid it"),
        ("/noenter/", coded, 404, "permissions forbid it"),
        ("/noenter/a.txt", coded, 404, "permissions forbid it"),
        ("/missing", coded, 404, "nothing of that name is there"),
        ("/enter/a.txt", coded, 200, "enter/a.txt"),
        ("/", "Accept: application/json", 200, "."),
    ];
    let mut refused = Vec::new();
    for (target, field, status, why) in table {
        let response = answered(&mut client, "GET", target, &[field]);
        let mut command = unprivileged(CORELANE);
        command.args(["explain", target, "--json", "--header", field]);
        command.arg("--directory").arg(root).args(options);
        let told: Value = serde_json::from_str(&outside::run(&mut command)).expect("JSON");
        let what = format!("{target}: {told} {response:?}");
        assert_eq!(
            (response.status, &told["status"]),
            (*status, &Value::from(*status)),
            "{what}"
        );
        let points = told["points"].as_array().expect("a list");
        assert!(points.iter().any(|point| point["what"] == *why), "{what}");
        assert_eq!(response.field("content-encoding"), None, "{what}");
        match status {
            404 => refused.push(response.body),
            _ if *target == "/" => {
                let names = response.text();
                for name in ["noenter", "enter", "b.raw", "a.css.gz"] {
                    assert!(!names.contains(&format!("\"{name}")), "{name}: {names}");
                }
                assert!(names.contains("a.css"), "{names}");
            }
            _ => {}
        }
    }
    assert!(
        refused.windows(2).all(|two| two[0] == two[1]),
        "{refused:?}"
    );
    // So that it can be removed.
    forbid("noenter", 0o700);
    forbid("enter", 0o700);
}
