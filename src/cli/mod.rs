//! The command line: arguments in, an exit code out. It parses, dispatches and reports; what the
//! commands do lies in a file each, and nothing here knows of shards.
//!
//! Exit codes: 0 when the command did what it should, 1 for a failure at run time, 2 for bad
//! arguments or a bad configuration.

mod access_log;
mod args;
pub mod check;
pub mod demo;
pub mod doctor;
mod explain;
mod log;
#[cfg(feature = "merge")]
mod merge;
#[cfg(any(feature = "merge", feature = "top"))]
mod node;
mod open_files;
mod place;
pub mod serve;
#[cfg(any(feature = "merge", feature = "top"))]
mod table;
#[cfg(feature = "top")]
mod top;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::config::Config;
use crate::config::raw::RawConfig;
use crate::failure::Failure;
use crate::log::Lines;
use args::{Cli, Command, FilesArgs, NodeArgs};
use place::PlaceArgs;

/// Runs the program with its own arguments, to its end.
pub fn run() -> ExitCode {
    open_files::raise_limit();
    run_with(std::env::args_os())
}

/// Runs the program with these arguments, the first of which is its name.
pub fn run_with(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let result = match Cli::try_parse_from(arguments) {
        Ok(cli) => dispatch(cli.command),
        Err(error) => {
            // Help and version are errors to the parser as well; it knows the stream and the code.
            // Nobody is left to tell if that stream is closed.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failures) => {
            failures.iter().for_each(Failure::report);
            // The worst blame decides: while the arguments are wrong, the rest is not known.
            let code = failures.iter().map(Failure::exit_code).max();
            ExitCode::from(code.unwrap_or(1))
        }
    }
}

fn dispatch(command: Command) -> Result<(), Vec<Failure>> {
    let one = |failure| vec![failure];
    match command {
        Command::Serve { place, files, node } => {
            let over = serving(place, *files, &node)?;
            logged(configure(node, over)?, serve::run)
        }
        Command::Explain {
            asked,
            place,
            files,
            node,
        } => {
            let over = serving(place, *files, &node)?;
            explain::run(asked, configure(node, over)?).map_err(one)
        }
        Command::Demo { node } => logged(configure(node, RawConfig::default())?, demo::run),
        Command::Check { config } => check::run(&config),
        #[cfg(feature = "merge")]
        Command::Merge(arguments) => merge::Merge::new(arguments)?.run(),
        #[cfg(feature = "top")]
        Command::Top(arguments) => top::Top::new(arguments)?.run().map_err(one),
        Command::Doctor => doctor::run().map_err(one),
    }
}

/// What was written of what `serve` serves, and how.
fn serving(place: PlaceArgs, files: FilesArgs, node: &NodeArgs) -> Result<RawConfig, Vec<Failure>> {
    let place = place.into_raw(node.has_listen());
    Ok(RawConfig {
        files: files.into_raw(node.config.is_some()),
        ..place.map_err(|failure| vec![failure])?
    })
}

/// Runs `command` with a log, which is written to its end before a failure is reported.
fn logged(config: Config, command: fn(Config) -> Result<(), Failure>) -> Result<(), Vec<Failure>> {
    let log = log::start(config.log_level).map_err(|failure| vec![failure])?;
    let outcome = command(config);
    log.iter().for_each(Lines::flush);
    outcome.map_err(|failure| vec![failure])
}

/// The file if one is named, the options over it, and `over` over both; then the proof.
fn configure(node: NodeArgs, over: RawConfig) -> Result<Config, Vec<Failure>> {
    let file = match &node.config {
        Some(path) => RawConfig::read(path).map_err(|failure| vec![failure])?,
        None => RawConfig::default(),
    };
    Config::try_from(file.overlaid_by(node.into_raw()).overlaid_by(over))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::CoreSelection;
    use clap::CommandFactory;
    use std::path::PathBuf;

    /// The configuration that `corelane COMMANDLINE` comes to.
    fn configured(line: &str) -> Result<Config, Vec<String>> {
        let arguments = line.split(' ').filter(|word| !word.is_empty());
        let cli = Cli::try_parse_from(std::iter::once("corelane").chain(arguments))
            .map_err(|error| vec![error.to_string()])?;
        let told = |failures: Vec<Failure>| failures.iter().map(Failure::to_string).collect();
        match cli.command {
            Command::Serve { place, files, node } => {
                serving(place, *files, &node).and_then(|over| configure(node, over))
            }
            Command::Demo { node } => configure(node, RawConfig::default()),
            _ => panic!("no node: {line}"),
        }
        .map_err(told)
    }

    #[test]
    fn the_command_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_become_the_configuration() {
        let default = Config::default;
        let serve = || Config {
            files: crate::files::Policy {
                listing: true,
                ..Default::default()
            },
            ..default()
        };
        let mut limits = default().limits;
        limits.head.field_lines = 60;
        let table = [
            ("serve", serve()),
            ("demo", default()),
            (
                "serve public",
                Config {
                    root: "public".into(),
                    ..serve()
                },
            ),
            (
                "serve --listen [::1]:80 --listen 127.0.0.1:0 -- -x",
                Config {
                    listen: vec!["[::1]:80".parse().unwrap(), "127.0.0.1:0".parse().unwrap()],
                    root: "-x".into(),
                    ..serve()
                },
            ),
            (
                "serve 8000",
                Config {
                    listen: vec!["127.0.0.1:8000".parse().unwrap()],
                    ..serve()
                },
            ),
            (
                "serve --bind ::1 -d a",
                Config {
                    listen: vec!["[::1]:8080".parse().unwrap()],
                    root: "a".into(),
                    ..serve()
                },
            ),
            (
                "serve -b 0.0.0.0 0 --directory 8000 --listing off",
                Config {
                    listen: vec!["0.0.0.0:0".parse().unwrap()],
                    root: "8000".into(),
                    ..default()
                },
            ),
            (
                "serve ./8000",
                Config {
                    root: "./8000".into(),
                    ..serve()
                },
            ),
            (
                "demo --cores 0 --shutdown-timeout 5s --busy-poll --no-stats",
                Config {
                    cores: CoreSelection::List(vec![0]),
                    shutdown_timeout: std::time::Duration::from_secs(5),
                    busy_poll: true,
                    stats: crate::config::StatsAccess {
                        enabled: false,
                        ..Default::default()
                    },
                    ..default()
                },
            ),
            (
                "demo --stall-threshold 20ms",
                Config {
                    stall_threshold: std::time::Duration::from_millis(20),
                    ..default()
                },
            ),
            (
                "demo --stats-allow 10.0.0.0/8 --stats-allow fd00::/8 --stats-listen 0.0.0.0:9",
                Config {
                    stats: crate::config::StatsAccess {
                        enabled: true,
                        allow: ["10.0.0.0/8", "fd00::/8"]
                            .map(|text| crate::config::cidr::parse(text).unwrap())
                            .into(),
                        listen: Some("0.0.0.0:9".parse().unwrap()),
                    },
                    ..default()
                },
            ),
            (
                "serve --symlinks any --dot-files serve --hide *.bak --hide /x --etag hash \
                 --cache-control *.css=no-cache --response-header *.css=X-A:b --redirect /a=/b \
                 --error-page 404=/e --media-type x=text/x --precompressed off --file-cache 0 --tar --sendfile --compress off",
                Config {
                    files: crate::files::Policy {
                        symlinks: crate::files::policy::Symlinks::Any,
                        dot_files: true,
                        hide: ["*.bak", "/x"].map(|text| text.parse().unwrap()).into(),
                        entity_tags: crate::files::policy::EntityTags::Hash,
                        cache_control: vec![(
                            "*.css".parse().unwrap(),
                            http::HeaderValue::from_static("no-cache"),
                        )],
                        response_headers: {
                            let mut rules = crate::files::header_rules::HeaderRules::default();
                            rules.add("*.css=X-A: b").unwrap();
                            rules
                        },
                        redirects: crate::files::redirects::Redirects::new(vec![
                            "/a=/b".parse().unwrap(),
                        ])
                        .unwrap(),
                        error_pages: {
                            let mut pages = crate::files::error_pages::ErrorPages::default();
                            pages.add("404=/e").unwrap();
                            pages
                        },
                        media_types: [("x".into(), http::HeaderValue::from_static("text/x"))]
                            .into(),
                        precompressed: Vec::new(),
                        compress: Vec::new(),
                        compression_wait: crate::limits::COMPRESSION_WAIT,
                        index: vec![c"index.html".to_owned()],
                        clean_urls: false,
                        fallback: None,
                        listing: true,
                        tar: true,
                        sendfile: true,
                        cache_bytes: 0,
                    },
                    ..default()
                },
            ),
            (
                "demo --limit field_lines=50 --limit field_lines=60 --server-header none \
                 --log-level info",
                Config {
                    limits,
                    server_header: None,
                    log_level: crate::config::log_level::LogLevel::Info,
                    ..default()
                },
            ),
        ];
        for (line, expected) in table {
            assert_eq!(configured(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn wrong_values_are_told_by_option() {
        let table = [
            ("serve --listen :80", "--listen: ':80' has no address; "),
            ("serve --cores x", "--cores: 'x' is not a choice of CPUs; "),
            (
                "demo --shutdown-timeout 5",
                "--shutdown-timeout: '5' has no unit; ",
            ),
            (
                "demo --stall-threshold 0s",
                "--stall-threshold: 0ns is no time that a stall can begin at; ",
            ),
            (
                "demo --stats-allow x",
                "--stats-allow: 'x' is not a network; ",
            ),
            (
                "demo --stats-listen 9090",
                "--stats-listen: '9090' has no address; ",
            ),
            (
                "demo --listen 127.0.0.1:9 --stats-listen 127.0.0.1:9",
                "--stats-listen: 127.0.0.1:9 is listened on for everything else; ",
            ),
            (
                "serve --symlinks x",
                "--symlinks: 'x' does not say which symbolic links",
            ),
            (
                "serve --listing yes",
                "--listing: 'yes' is neither on nor off; write on or off",
            ),
            (
                "serve 65536",
                "PORT: '127.0.0.1:65536' is not ADDR:PORT; write",
            ),
            (
                "serve --bind example.org",
                "--bind: 'example.org:8080' names a host; write its IP address",
            ),
            (
                "serve 8000 --listen 127.0.0.1:0",
                "--listen: the port 8000 is given as well; leave one",
            ),
            (
                "serve a -d b",
                "--directory: both b and a are to be served; name one folder",
            ),
            (
                "serve --bind 127.0.0.1 --listen 127.0.0.1:0",
                "error: the argument '--bind <ADDR>' cannot be used with '--listen",
            ),
            (
                "demo --log-level loud",
                "--log-level: 'loud' is not a level of the log; ",
            ),
            (
                "serve --config /none/c.toml",
                "/none/c.toml: cannot be read: ",
            ),
        ];
        for (line, start) in table {
            let faults = configured(line).unwrap_err();
            assert!(faults[0].starts_with(start), "{line}: {faults:?}");
            assert_eq!(faults.len(), 1);
        }
        let both = configured("serve --listen x --cores y").unwrap_err();
        assert_eq!(both.len(), 2, "{both:?}");
    }

    #[test]
    fn options_go_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        let text = "listen = '127.0.0.1:1'\ncores = 2\nroot = 'a'\n[stats]\nenabled = true\n\
                    [limits]\nbody_bytes = 1\nfield_lines = 2\n";
        std::fs::write(&path, text).unwrap();
        let file = path.display();

        let config = configured(&format!("serve --config {file} --cores 1 --no-stats")).unwrap();
        assert_eq!(config.listen, ["127.0.0.1:1".parse().unwrap()]);
        assert_eq!(config.cores.to_string(), "1");
        assert_eq!(config.root, folder.path().join("a"));
        assert!(!config.stats.enabled);

        let config = configured(&format!("serve --config {file} --limit body_bytes=3")).unwrap();
        assert_eq!(config.limits.body_bytes, 3);
        assert_eq!(config.limits.head.field_lines, 2);

        assert!(!config.files.listing);

        let config = configured(&format!("serve b --config {file} --listing on")).unwrap();
        assert!(config.files.listing);
        assert_eq!(config.root, PathBuf::from("b"));
    }

    #[test]
    fn exit_codes_tell_blame() {
        let code = |line: &str| run_with(line.split(' '));
        for line in [
            "corelane nothing",
            "corelane serve --nothing",
            "corelane check",
            "corelane check --config /none/c.toml",
            "corelane serve --cores x",
        ] {
            assert_eq!(code(line), ExitCode::from(2), "{line}");
        }
        assert_eq!(code("corelane --version"), ExitCode::SUCCESS);
    }
}
