//! The arguments as clap reads them. Values stay text here: what they mean is decided where the
//! configuration is proved, so that a file and the command line are refused in the same words.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::place::PlaceArgs;
use crate::config::files::RawFiles;
use crate::config::raw::{RawConfig, Written};

/// A thread-per-core HTTP server: one io_uring executor per CPU, nothing shared between them
#[derive(Debug, Parser)]
#[command(name = "corelane", version, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the files of a folder
    Serve {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        files: Box<FilesArgs>,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Tell what serve with the same options answers to a request, and why, without listening
    Explain {
        #[command(flatten)]
        asked: AskedArgs,
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        files: Box<FilesArgs>,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Run the demo application: /, /{name}, /plaintext, /json, /echo
    Demo {
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Validate a configuration file without listening
    Check {
        /// TOML file to validate
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Watch what a node's /stats says in this terminal
    #[cfg(feature = "top")]
    Top(TopArgs),
    /// Put the latencies of several nodes together without loss: a fleet's p99.9 that its requests had
    #[cfg(feature = "merge")]
    Merge(MergeArgs),
    /// Inspect this machine: what is missing for corelane to run, and to run well
    Doctor,
}

/// Options of `top`.
#[cfg(feature = "top")]
#[derive(Args, Debug)]
pub(super) struct TopArgs {
    /// Node, such as http://127.0.0.1:8080; with a path where /stats has another
    #[arg(value_name = "URL")]
    pub(super) url: String,

    /// Print the screen once, whole, and end
    #[arg(long)]
    pub(super) once: bool,

    /// How long the node may take to answer, with a unit: ms, s, m or h [default: 5s]
    #[arg(long, value_name = "DURATION")]
    pub(super) timeout: Option<String>,
}

/// Options of `merge`.
#[cfg(feature = "merge")]
#[derive(Args, Debug)]
pub(super) struct MergeArgs {
    /// Nodes, such as http://127.0.0.1:8080; with a path where /stats has another
    #[arg(value_name = "URL", required = true)]
    pub(super) urls: Vec<String>,

    /// Over which time: total, since each started; or the last 1s, 10s or 60s [default: total]
    #[arg(long, value_name = "WINDOW")]
    pub(super) window: Option<String>,

    /// What to print: text, a table; json, the figures; or hdr, the distributions [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<String>,

    /// How long a node may take to answer, with a unit: ms, s, m or h [default: 5s]
    #[arg(long, value_name = "DURATION")]
    pub(super) timeout: Option<String>,

    /// Print what the others told where a node told nothing, and say so there and in exit code 1
    #[arg(long)]
    pub(super) partial: bool,
}

/// What `explain` is asked about.
#[derive(Args, Debug)]
pub(super) struct AskedArgs {
    /// Path of the request, as a client sends it, such as /a%20b.html?c=d
    #[arg(value_name = "PATH")]
    pub(super) path: String,

    /// Method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(super) method: String,

    /// Field of the request, such as 'Accept-Encoding: br', repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    pub(super) header: Vec<String>,

    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// How the files of a folder are served.
#[derive(Args, Debug)]
#[command(next_help_heading = "Files")]
pub(super) struct FilesArgs {
    /// Symbolic links that are followed: never; beneath, those that stay below DIR; any [default:
    /// beneath]
    #[arg(long, value_name = "WHICH")]
    symlinks: Option<String>,

    /// What becomes of names that begin with a dot: hide, but for .well-known, or serve [default:
    /// hide]
    #[arg(long, value_name = "hide|serve")]
    dot_files: Option<String>,

    /// Files and folders that are not served, such as *.bak or /private, repeatable
    #[arg(long, value_name = "GLOB")]
    hide: Vec<String>,

    /// What entity tags are made of: mtime, with length and inode; or hash, of the content
    /// [default: mtime]
    #[arg(long, value_name = "mtime|hash")]
    etag: Option<String>,

    /// Cache-Control of the files that match, such as *.css=max-age=3600, repeatable; the first
    /// that matches counts. Listings and archives have that of their folder
    #[arg(long, value_name = "GLOB=VALUE")]
    cache_control: Vec<String>,

    /// Field of the responses of files that match, such as '*.html=X-Frame-Options: DENY', repeatable; of
    /// each field the first that matches counts. Listings and archives have those of their folder
    #[arg(long, value_name = "GLOB=NAME: VALUE")]
    response_header: Vec<String>,

    /// Path that is redirected, and the path or the URL that it leads to, such as /old=/new or
    /// '/old/*=/new/* 301'; 302 without another status; repeatable
    #[arg(long, value_name = "FROM=TO[ STATUS]")]
    redirect: Vec<String>,

    /// File to send as the content of an error, 400, 404, 500 or 503, such as 404=/404.html, repeatable
    #[arg(long, value_name = "STATUS=/PATH")]
    error_page: Vec<String>,

    /// Media type of an extension, such as md=text/plain, of a name without one, or of *, repeatable
    #[arg(long, value_name = "EXT=TYPE")]
    media_type: Vec<String>,

    /// Compressed neighbours, such as a.css.br, that are served in place of a file to peers that
    /// accept them, best first; or off [default: zst,br,gz]
    #[arg(long, value_name = "SUFFIXES|off")]
    precompressed: Option<String>,

    /// Compress files for peers that accept it, where there is no neighbour: on, off, or codings with
    /// levels, best first, such as zstd,br:5,gzip; at most br:6, zstd:9 and gzip:9, and what is to be
    /// smaller is compressed beforehand [default: off]
    #[arg(long, value_name = "CODINGS|on|off")]
    compress: Option<String>,

    /// What a folder serves for itself, the first that is there, repeatable [default: index.html]
    #[arg(long, value_name = "NAME[,NAME]…")]
    index: Vec<String>,

    /// Serve about.html for /about, before a folder about/
    #[arg(long)]
    clean_urls: bool,

    /// File to serve to browsers where nothing is, such as /index.html, for applications that read the
    /// path; not where it has an extension
    #[arg(long, value_name = "/PATH")]
    fallback: Option<String>,

    /// Whether a folder without an index is listed: on or off [default: on, but off with --config]
    #[arg(long, value_name = "on|off")]
    listing: Option<String>,

    /// Have folders downloaded as tar archives, by ?download=tar; it tells all names that are not
    /// hidden
    #[arg(long)]
    tar: bool,

    /// Send large files as they lie in memory, for folders in which files are replaced and never written
    /// to in place
    #[arg(long)]
    sendfile: bool,

    /// Memory for files on each CPU, such as 256MiB; 0 for none [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    file_cache: Option<String>,
}

impl FilesArgs {
    /// What was written; without a configuration file a folder is listed unless that is forbidden.
    pub(super) fn into_raw(mut self, has_file: bool) -> RawFiles {
        if !has_file {
            self.listing.get_or_insert_with(|| "on".to_owned());
        }
        let one = |name, text: Option<String>| text.map(|text| Written::argument(name, text));
        RawFiles {
            symlinks: one("--symlinks", self.symlinks),
            dot_files: one("--dot-files", self.dot_files),
            hide: list("--hide", self.hide),
            etag: one("--etag", self.etag),
            cache_control: list("--cache-control", self.cache_control),
            response_headers: list("--response-header", self.response_header),
            redirects: list("--redirect", self.redirect),
            error_pages: list("--error-page", self.error_page),
            media_types: list("--media-type", self.media_type),
            precompressed: one("--precompressed", self.precompressed),
            compress: one("--compress", self.compress),
            index: list("--index", self.index),
            clean_urls: self.clean_urls.then_some(true),
            fallback: one("--fallback", self.fallback),
            listing: one("--listing", self.listing),
            tar: self.tar.then_some(true),
            sendfile: self.sendfile.then_some(true),
            cache: one("--file-cache", self.file_cache),
        }
    }
}

/// Options of every command that serves.
#[derive(Args, Debug)]
pub(super) struct NodeArgs {
    /// IP address and port to listen on, repeatable; port 0 picks one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<String>,

    /// CPUs to run on: all, how many (4), or which (0,2-3; 0 is CPU 0) [default: all, up to the
    /// cgroup's CPU quota]
    #[arg(long, value_name = "all|N|LIST")]
    cores: Option<String>,

    /// TOML file to read; options given here go over it
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// How long a shutdown may take, with a unit: ms, s, m or h [default: 30s]
    #[arg(long, value_name = "DURATION")]
    shutdown_timeout: Option<String>,

    /// How long to go on serving when told to shut down, while /healthz says that it ends: what a load
    /// balancer needs to send its requests elsewhere [default: 0s]
    #[arg(long, value_name = "DURATION")]
    shutdown_delay: Option<String>,

    /// Spin on idle CPUs instead of sleeping: lower latency for all of their time
    #[arg(long)]
    busy_poll: bool,

    /// A limit, such as head_timeout=5s or body_bytes=10MiB, repeatable; the README has their names
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,

    /// Value of the Server field of responses, or none for no such field [default: corelane]
    #[arg(long, value_name = "NAME|none")]
    server_header: Option<String>,

    /// What to tell on standard error: off, error, warn, info or debug [default: warn]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// File to write a line to for each request, or - for standard output [default: none]
    #[arg(long, value_name = "FILE|-")]
    access_log: Option<PathBuf>,

    /// How those lines are written: common, combined or json [default: combined]
    #[arg(long, value_name = "FORMAT")]
    access_log_format: Option<String>,

    /// Network that may read /stats beside this machine, repeatable
    #[arg(long, value_name = "CIDR", conflicts_with = "no_stats")]
    stats_allow: Vec<String>,

    /// IP address and port for /stats and /metrics alone, which are then nowhere else
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "no_stats")]
    stats_listen: Option<String>,

    /// How long a core is held, by a handler say, before /stats tells of a stall, with a unit: ms, s or m
    /// [default: 100ms]
    #[arg(long, value_name = "DURATION", conflicts_with = "no_stats")]
    stall_threshold: Option<String>,

    /// Serve no /stats, and measure no latencies; requests are still counted
    #[arg(long)]
    no_stats: bool,
}

impl NodeArgs {
    /// Whether addresses to listen on were given.
    pub(super) fn has_listen(&self) -> bool {
        !self.listen.is_empty()
    }

    /// What was written, without the file that `--config` names.
    pub(super) fn into_raw(self) -> RawConfig {
        RawConfig {
            listen: list("--listen", self.listen),
            cores: self.cores.map(|text| Written::argument("--cores", text)),
            root: None,
            shutdown_timeout: self
                .shutdown_timeout
                .map(|text| Written::argument("--shutdown-timeout", text)),
            shutdown_delay: self
                .shutdown_delay
                .map(|text| Written::argument("--shutdown-delay", text)),
            busy_poll: self.busy_poll.then_some(true),
            stats_enabled: self.no_stats.then_some(false),
            stats_allow: list("--stats-allow", self.stats_allow),
            stats_listen: self
                .stats_listen
                .map(|text| Written::argument("--stats-listen", text)),
            stall_threshold: self
                .stall_threshold
                .map(|text| Written::argument("--stall-threshold", text)),
            limits: self.limit.into_iter().map(limit).collect(),
            server_header: self
                .server_header
                .map(|text| Written::argument("--server-header", text)),
            log_level: self
                .log_level
                .map(|text| Written::argument("--log-level", text)),
            access_log: self.access_log,
            access_log_format: self
                .access_log_format
                .map(|text| Written::argument("--access-log-format", text)),
            files: RawFiles::default(),
        }
    }
}

fn list(name: &str, texts: Vec<String>) -> Option<Vec<Written>> {
    let written = texts.into_iter().map(|text| Written::argument(name, text));
    Some(written.collect()).filter(|list: &Vec<_>| !list.is_empty())
}

/// The name and value of a limit; one without `=` has no value, which none takes.
fn limit(text: String) -> (String, Written) {
    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
    let written = Written::argument(&format!("--limit {name}"), value.to_owned());
    (name.to_owned(), written)
}
