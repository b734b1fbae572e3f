//! What is written in a file and what becomes of it, value by value.

use super::*;
use std::path::Path;

fn config(text: &str) -> Result<Config, Vec<String>> {
    let shown = |failure: &Failure| failure.to_string();
    let raw = RawConfig::parse(Path::new("/etc/c.toml"), text)
        .map_err(|failure| vec![shown(&failure)])?;
    Config::try_from(raw).map_err(|faults| faults.iter().map(shown).collect())
}

#[test]
fn nothing_written_is_the_default() {
    assert_eq!(config(""), Ok(Config::default()));
    assert_eq!(config("[stats]\n"), Ok(Config::default()));
    let default = Config::default();
    assert_eq!(default.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(default.shutdown_timeout, Duration::from_secs(30));
}

#[test]
fn everything_written_is_taken() {
    let text = r#"
        listen = ["0.0.0.0:80", "[::]:80"]
        cores = "0,2-3"
        root = "public"
        shutdown_timeout = "1500ms"
        shutdown_delay = "7s"
        busy_poll = true
        server_header = "a/1 (b)"
        log_level = "debug"
        access_log = "access.log"
        access_log_format = "json"
        [stats]
        enabled = false
        allow = ["10.0.0.0/8"]
        listen = "10.0.0.1:9090"
        stall_threshold = "250ms"
        [limits]
        head_timeout = "5s"
        body_bytes = "10MiB"
        field_lines = 50
        requests_per_connection = 1000
        handler_timeout = "2m"
    "#;
    let mut limits = Limits {
        head_timeout: Duration::from_secs(5),
        body_bytes: 10 << 20,
        requests_per_connection: Some(1000),
        handler_timeout: Some(Duration::from_secs(120)),
        ..Limits::default()
    };
    limits.head.field_lines = 50;
    let expected = Config {
        listen: vec!["0.0.0.0:80".parse().unwrap(), "[::]:80".parse().unwrap()],
        cores: CoreSelection::List(vec![0, 2, 3]),
        root: "/etc/public".into(),
        shutdown_timeout: Duration::from_millis(1500),
        shutdown_delay: Duration::from_secs(7),
        busy_poll: true,
        stats: StatsAccess {
            enabled: false,
            allow: vec![cidr::parse("10.0.0.0/8").unwrap()],
            listen: Some("10.0.0.1:9090".parse().unwrap()),
        },
        stall_threshold: Duration::from_millis(250),
        limits,
        server_header: Some(HeaderValue::from_static("a/1 (b)")),
        log_level: LogLevel::Debug,
        access_log: Some(AccessLog {
            to: access_log::AccessLogTo::File("/etc/access.log".into()),
            format: AccessFormat::Json,
        }),
        files: Policy::default(),
    };
    assert_eq!(config(text), Ok(expected));
}

#[test]
fn every_fault_is_told_with_its_place_and_mend() {
    let text = "listen = [\n  \"localhost:80\",\n  \"127.0.0.1:1\", \"127.0.0.1:1\",\n]\n\
                cores = \"many\"\nshutdown_timeout = \"30\"\n[stats]\nallow = \"10.0.0.1/8\"\n";
    let expected = [
        "/etc/c.toml:2:3: listen: 'localhost:80' names a host; \
         write its IP address, such as 127.0.0.1:80",
        "/etc/c.toml:3:18: listen: 127.0.0.1:1 is given twice; give it once",
        "/etc/c.toml:5:9: cores: 'many' is not a choice of CPUs; \
         write all, a number of CPUs such as 4, or CPU numbers such as 0,2-3",
        "/etc/c.toml:6:20: shutdown_timeout: '30' has no unit; write 30s or 30ms",
        "/etc/c.toml:8:9: stats.allow: '10.0.0.1/8' has bits beyond its prefix; \
         write 10.0.0.0/8",
    ];
    assert_eq!(config(text).unwrap_err(), expected);
}

#[test]
fn an_empty_list_of_addresses_is_no_server() {
    let expected = ["listen: the list is empty; name at least one ADDR:PORT"];
    assert_eq!(config("listen = []").unwrap_err(), expected);
}

#[test]
fn the_longest_shutdown_is_taken_and_no_longer() {
    let most = limits::SHUTDOWN_TIMEOUT.as_secs();
    let text = |seconds| format!("shutdown_timeout = '{seconds}s'");
    let config_of = |seconds| config(&text(seconds)).map(|config| config.shutdown_timeout);
    assert_eq!(config_of(most), Ok(limits::SHUTDOWN_TIMEOUT));
    assert!(config_of(most + 1).is_err());
    let text = |seconds| format!("shutdown_delay = '{seconds}s'");
    let config_of = |seconds| config(&text(seconds)).map(|config| config.shutdown_delay);
    assert_eq!(config_of(most), Ok(limits::SHUTDOWN_TIMEOUT));
    assert!(config_of(most + 1).is_err());
}

#[test]
fn a_stall_begins_between_a_millisecond_and_a_minute() {
    let text = |time: &str| format!("[stats]\nstall_threshold = '{time}'");
    for (time, expected) in [
        ("1ms", Ok(limits::LEAST_STALL_THRESHOLD)),
        ("60000ms", Ok(limits::MOST_STALL_THRESHOLD)),
        (
            "0ms",
            Err("0ns is no time that a stall can begin at; give it a value from 1ms to 60s"),
        ),
        ("60001ms", Err("'60001ms' is too long; write at most 60s")),
        ("100", Err("'100' has no unit; write 100s or 100ms")),
    ] {
        let told = config(&text(time)).map(|config| config.stall_threshold);
        let place = "/etc/c.toml:2:19: stats.stall_threshold: ";
        let expected = expected.map_err(|fault| vec![format!("{place}{fault}")]);
        assert_eq!(told, expected, "{time}");
    }
    // One that a program was made with.
    let made = |nanos| {
        let stall_threshold = Duration::from_nanos(nanos);
        let config = Config {
            stall_threshold,
            ..Config::default()
        };
        config.prove().is_ok()
    };
    assert_eq!(
        [999_999, 1_000_000, 60_000_000_000, 60_000_000_001].map(made),
        [false, true, true, false]
    );
}

#[test]
fn a_limit_that_is_wrong_is_told_with_its_place() {
    let table = [
        (
            "[limits]\nhead_timeout = '5'",
            "/etc/c.toml:2:16: limits.head_timeout: '5' has no unit; write 5s or 5ms",
        ),
        (
            "[limits]\nhead_timeout = '0s'",
            "/etc/c.toml:2:16: limits.head_timeout: 0ms is less than 1ms; \
             give it a value from 1ms to 24h",
        ),
        (
            "limits.idle_timeout = '9999999h'",
            "/etc/c.toml:1:23: limits.idle_timeout: '9999999h' is too long; \
             write at most 86400s",
        ),
        (
            "limits.body_bytes = '8KB'",
            "/etc/c.toml:1:21: limits.body_bytes: '8KB' is not a size; ",
        ),
        (
            "limits.field_lines = -1",
            "/etc/c.toml:1:22: limits.field_lines: '-1' is not a count; write a whole number",
        ),
        (
            "limits.connections = 'none'",
            "/etc/c.toml:1:22: limits.connections: 'none' is not a count; ",
        ),
        (
            "limits.requests_per_connection = ''",
            "/etc/c.toml:1:34: limits.requests_per_connection: '' is not a count; \
             write a whole number, or none",
        ),
        (
            "limits.handler_timeout = 'never'",
            "/etc/c.toml:1:26: limits.handler_timeout: 'never' is not a duration; \
             write a whole number and ms, s, m or h, such as 30s, or none",
        ),
        (
            "limits.bodybytes = 1",
            "/etc/c.toml:1:20: limits.bodybytes: 'bodybytes' is not a limit; \
             name one of request_line_bytes, ",
        ),
        (
            "limits.trailer_bytes = '64KiB'",
            "/etc/c.toml:1:24: limits.trailer_bytes: field_section_bytes: 32KiB is less than \
             trailer_bytes, 64KiB; raise it, or lower trailer_bytes",
        ),
        (
            "listen = ['[::1]:1', '[::1]:2']\nlimits.connections = 1",
            "/etc/c.toml:2:22: limits.connections: 1 is less than one for each of 2 addresses; ",
        ),
    ];
    for (text, start) in table {
        let faults = config(text).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(start), "{faults:?}");
    }
    let both = "limits.trailer_bytes = '64KiB'\nlimits.field_section_bytes = '64KiB'";
    assert_eq!(
        config(both).map(|config| config.limits.trailer_bytes),
        Ok(65_536)
    );
    let twice = "[limits]\nbody_bytes = 'x'\nhead_timeout = 'x'";
    assert_eq!(config(twice).unwrap_err().len(), 2);
}

#[test]
fn the_server_field_is_a_value_or_none() {
    let of =
        |text: &str| config(&format!("server_header = {text}")).map(|config| config.server_header);
    assert_eq!(of("false"), Ok(None));
    assert_eq!(of("'none'"), Ok(None));
    assert_eq!(of("'a'"), Ok(Some(HeaderValue::from_static("a"))));
    for text in ["''", "' a'", "'a\t'", "\"a\\n\"", "'\u{e9}'", "true", "1"] {
        assert_eq!(of(text).unwrap_err().len(), 1, "{text}");
    }
}

#[test]
fn the_log_has_levels() {
    let of = |text: &str| config(&format!("log_level = '{text}'")).map(|config| config.log_level);
    let table = [
        ("off", LogLevel::Off),
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
    ];
    for (text, level) in table {
        assert_eq!(of(text), Ok(level));
    }
    let expected = "/etc/c.toml:1:13: log_level: 'WARN' is not a level of the log; \
                    write off, error, warn, info or debug";
    assert_eq!(of("WARN").unwrap_err(), [expected]);
}

#[test]
fn the_access_log_has_a_place_and_a_format() {
    use access_log::AccessLogTo;
    let of = |text: &str| config(text).map(|config| config.access_log);
    let log = |to, format| Ok(Some(AccessLog { to, format }));
    assert_eq!(of("access_log_format = 'json'"), Ok(None));
    let combined = log(AccessLogTo::Stdout, AccessFormat::Combined);
    assert_eq!(of("access_log = '-'"), combined);
    let path = AccessLogTo::File("/a".into());
    let common = log(path, AccessFormat::Common);
    assert_eq!(
        of("access_log = '/a'\naccess_log_format = 'common'"),
        common
    );
    let expected = "/etc/c.toml:1:21: access_log_format: 'x' is not a format of the access log; \
                    write common, combined or json";
    assert_eq!(of("access_log_format = 'x'").unwrap_err(), [expected]);
}

#[test]
fn a_configuration_made_by_hand_is_proved_as_well() {
    let mut config = Config::default();
    assert_eq!(config.prove(), Ok(()));
    config.limits.connections = 1;
    assert_eq!(config.prove(), Ok(()));
    config.listen.push("127.0.0.1:1".parse().unwrap());
    let failure = config.prove().unwrap_err();
    assert!(
        failure.what().starts_with("connections: 1 is less"),
        "{failure}"
    );
    config.limits.head_timeout = Duration::ZERO;
    let failure = config.prove().unwrap_err();
    assert!(failure.what().starts_with("head_timeout: 0ms"), "{failure}");
    config.listen.clear();
    assert_eq!(
        config.prove().unwrap_err().what(),
        "listen: the list is empty"
    );
}

#[test]
fn stats_admits_loopback_and_the_networks_named() {
    let open = |allow: &[&str]| StatsAccess {
        enabled: true,
        allow: allow
            .iter()
            .map(|text| cidr::parse(text).unwrap())
            .collect(),
        listen: None,
    };
    let off = StatsAccess {
        enabled: false,
        ..open(&["0.0.0.0/0"])
    };
    // Who, and whether it is admitted, itself and for others.
    let table = [
        (open(&[]), "127.0.0.1", true, false),
        (open(&[]), "127.9.9.9", true, false),
        (open(&[]), "::1", true, false),
        (open(&[]), "::ffff:127.0.0.1", true, false),
        (open(&[]), "10.0.0.1", false, false),
        (open(&[]), "::", false, false),
        (open(&["10.0.0.0/8"]), "10.255.0.1", true, true),
        (open(&["10.0.0.0/8"]), "::ffff:10.0.0.1", true, true),
        (open(&["10.0.0.0/8"]), "11.0.0.1", false, false),
        (open(&["10.0.0.0/8"]), "::1", true, false),
        (open(&["127.0.0.0/8"]), "127.0.0.1", true, true),
        (open(&["127.0.0.0/8"]), "::ffff:127.0.0.1", true, true),
        (open(&["127.0.0.0/8"]), "::1", true, false),
        (open(&["0.0.0.0/0"]), "2001:db8::1", false, false),
        (open(&["::/0"]), "2001:db8::1", true, true),
        (open(&["::/0"]), "::ffff:10.0.0.1", false, false),
        (off, "127.0.0.1", false, false),
    ];
    for (access, peer, itself, for_others) in table {
        let address = peer.parse().unwrap();
        let admitted = [false, true].map(|for_others| access.admits(address, for_others));
        assert_eq!(admitted, [itself, for_others], "{peer} {access:?}");
    }
}
