//! What must hold for any configuration: a check like those of `checks.rs`.

use corelane::config::access_log::AccessLogTo;
use corelane::config::raw::RawConfig;
use corelane::config::{Config, cidr, duration, listen};
use corelane::cores::{CoreSelection, select};
use corelane::files::error_pages::{ErrorPageError, ErrorPages};
use corelane::files::header_rules::HeaderRule;
use corelane::limits::{self, Limits};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A configuration is refused in whole lines, or is the same when it is written down and read
/// again; so is each kind of value.
pub(crate) fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    values(text);
    let read = |text: &str| {
        let raw =
            RawConfig::parse(Path::new("corelane.toml"), text).map_err(|fault| vec![fault])?;
        Config::try_from(raw)
    };
    match read(text) {
        Ok(mut config) => {
            assert!(!config.listen.is_empty());
            assert!(config.shutdown_timeout <= limits::SHUTDOWN_TIMEOUT);
            assert!(config.shutdown_delay <= limits::SHUTDOWN_TIMEOUT);
            // Any text names a folder, or a file, so there is nothing to check about it.
            config.root = PathBuf::from(".");
            if let Some(log) = &mut config.access_log {
                log.to = AccessLogTo::Stdout;
            }
            assert_eq!(read(&write_config(&config)), Ok(config));
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert_eq!(fault.exit_code(), 2);
                assert!(!fault.to_string().contains('\n'));
            }
        }
    }
}

/// Each kind of value that has a written form of its own reads back from it.
fn values(text: &str) {
    if let Ok(network) = cidr::parse(text) {
        assert_eq!(cidr::parse(&network.to_string()), Ok(network));
    }
    if let Ok(address) = listen::parse(text) {
        assert_eq!(listen::parse(&address.to_string()), Ok(address));
    }
    if let Ok(length) = duration::parse(text, limits::SHUTDOWN_TIMEOUT) {
        assert!(length <= limits::SHUTDOWN_TIMEOUT);
    }
    let mut pages = ErrorPages::default();
    if pages.add(text).is_ok() {
        assert_eq!(pages.add(text), Err(ErrorPageError::Twice));
    }
    if let Ok(rule) = text.parse::<HeaderRule>() {
        let value = rule.value().to_str().expect("ASCII");
        let written = format!("{}={}: {value}", rule.glob().as_str(), rule.name());
        assert_eq!(written.parse(), Ok(rule));
    }
    if let Ok(selection) = text.parse::<CoreSelection>() {
        assert_eq!(selection.to_string().parse(), Ok(selection.clone()));
        if let Ok(cpus) = select(&selection, &[0, 1, 5], Some(1.5)) {
            assert!(!cpus.is_empty() && cpus.iter().all(|cpu| [0, 1, 5].contains(cpu)));
        }
    }
}

fn write_config(config: &Config) -> String {
    let quoted = |texts: Vec<String>| texts.join("\", \"");
    let listen = quoted(config.listen.iter().map(ToString::to_string).collect());
    let allow = config
        .stats
        .allow
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    let allow = match allow.is_empty() {
        true => "[]".to_owned(),
        false => format!("[\"{}\"]", quoted(allow)),
    };
    let Config {
        cores,
        busy_poll,
        stats,
        log_level,
        ..
    } = config;
    // A value, visible ASCII and tabs, is escaped alike in Rust and in TOML.
    let server = match &config.server_header {
        Some(value) => format!("{:?}", value.to_str().expect("it is ASCII")),
        None => "false".to_owned(),
    };
    let access_log = match &config.access_log {
        Some(log) => {
            let format = format!("{:?}", log.format).to_lowercase();
            format!("access_log = \"-\"\naccess_log_format = \"{format}\"\n")
        }
        None => String::new(),
    };
    let (timeout, delay): (Duration, Duration) = (config.shutdown_timeout, config.shutdown_delay);
    format!(
        "listen = [\"{listen}\"]\ncores = \"{cores}\"\nshutdown_timeout = \"{}ms\"\n\
         shutdown_delay = \"{}ms\"\n\
         busy_poll = {busy_poll}\nserver_header = {server}\nlog_level = \"{log_level}\"\n\
         {access_log}[stats]\nenabled = {}\nallow = {allow}\n{}",
        timeout.as_millis(),
        delay.as_millis(),
        stats.enabled,
        write_limits(&config.limits),
    )
}

fn write_limits(limits: &Limits) -> String {
    let ms = |time: Duration| format!("'{}ms'", time.as_millis());
    let requests = limits.requests_per_connection;
    let values = [
        (
            "request_line_bytes",
            limits.head.request_line_bytes.to_string(),
        ),
        (
            "field_section_bytes",
            limits.head.field_section_bytes.to_string(),
        ),
        ("field_lines", limits.head.field_lines.to_string()),
        ("body_bytes", limits.body_bytes.to_string()),
        ("chunk_line_bytes", limits.chunk_line_bytes.to_string()),
        ("chunk_excess_bytes", limits.chunk_excess_bytes.to_string()),
        ("trailer_bytes", limits.trailer_bytes.to_string()),
        ("head_timeout", ms(limits.head_timeout)),
        ("idle_timeout", ms(limits.idle_timeout)),
        ("body_timeout", ms(limits.body_timeout)),
        ("body_rate_bytes", limits.body_rate_bytes.to_string()),
        ("write_timeout", ms(limits.write_timeout)),
        ("write_rate_bytes", limits.write_rate_bytes.to_string()),
        (
            "handler_timeout",
            limits.handler_timeout.map_or("'none'".to_owned(), ms),
        ),
        ("linger_timeout", ms(limits.linger_timeout)),
        ("linger_bytes", limits.linger_bytes.to_string()),
        ("unread_body_bytes", limits.unread_body_bytes.to_string()),
        (
            "requests_per_connection",
            requests.map_or("'none'".to_owned(), |most| format!("'{most}'")),
        ),
        ("connections", limits.connections.to_string()),
        ("pipelined_requests", limits.pipelined_requests.to_string()),
    ];
    let lines = values.map(|(name, value)| format!("{name} = {value}\n"));
    "[limits]\n".to_owned() + &lines.concat()
}
