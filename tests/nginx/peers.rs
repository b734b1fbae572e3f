//! The two servers, and asking either.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use corelane::files::Policy;
use corelane::files::redirects::Redirects;
use corelane::http::ContentCoding;
use corelane::{App, Running, Server};

use super::requests::{Request, TAG};
use super::support::outside::not_run;
use super::support::process::unprivileged;
use super::support::{Client, wait_until};
use super::told::{PAGE, Told};
use super::tree::Tree;

/// How often nginx is given another port: somebody may take the one that was found free.
const ATTEMPTS: usize = 5;

pub(crate) struct Corelane {
    running: Option<Running>,
    pub(crate) address: SocketAddr,
}

impl Corelane {
    /// Starts it with what the folder has: neighbours, rules, and the page of an error.
    pub(crate) fn start(tree: &Tree) -> Self {
        let mut policy = Policy {
            precompressed: vec![ContentCoding::Gzip],
            ..Policy::default()
        };
        let rules = ["/old=/small.txt 301", "/moved/*=/sub/*"];
        let rules = rules.iter().map(|rule| rule.parse().expect("a rule"));
        policy.redirects = Redirects::new(rules.collect()).expect("rules");
        for rule in ["*.css=X-Rule: css", &format!("404.html={PAGE}: 404")] {
            policy.response_headers.add(rule).expect("a rule");
        }
        policy.error_pages.add("404=/404.html").expect("a page");
        Self::start_by(tree, policy)
    }

    pub(crate) fn start_by(tree: &Tree, policy: Policy) -> Self {
        let root = tree.root();
        // As nginx has one process.
        let cores = "1".parse().expect("one core");
        let server = Server::bind("127.0.0.1:0").cores(cores).files(policy);
        let running = server.start(move |_| App::new().files("/", &root));
        let running = running.expect("the server starts");
        let address = running.addresses()[0];
        Self {
            running: Some(running),
            address,
        }
    }
}

impl Drop for Corelane {
    fn drop(&mut self) {
        drop(self.running.take().map(Running::stop));
    }
}

pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Starts it before `behind`, if it is there, with what the folder has.
    pub(crate) fn start(tree: &Tree, behind: SocketAddr) -> Option<Self> {
        let directives = format!(
            "gzip_static on;\n\
             error_page 404 /404.html;\n\
             location = /404.html {{ add_header {PAGE} 404 always; }}\n\
             location = /old {{ return 301 /small.txt$is_args$args; }}\n\
             location ^~ /moved/ {{ rewrite ^/moved/(.*)$ /sub/$1 redirect; }}\n\
             location ~ \\.css$ {{ add_header X-Rule css; }}\n\
             location ^~ /behind/ {{ proxy_pass http://{behind}/;\n\
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}\n\
             location ^~ /unsaid/ {{ proxy_pass http://{behind}/; proxy_http_version 1.0; }}\n\
             location ^~ /kept/ {{ proxy_pass http://{behind}/; proxy_http_version 1.1;\n\
             proxy_set_header Host $host; }}\n"
        );
        Self::start_by(tree, &directives)
    }

    /// Starts it with these directives for its server, if it is there.
    pub(crate) fn start_by(tree: &Tree, directives: &str) -> Option<Self> {
        Self::start_as(|program| Command::new(program), tree, directives)
    }

    /// The same without the privileges to which permissions do not apply.
    pub(crate) fn start_unprivileged(tree: &Tree, directives: &str) -> Option<Self> {
        Self::start_as(unprivileged, tree, directives)
    }

    fn start_as(command: impl Fn(&str) -> Command, tree: &Tree, directives: &str) -> Option<Self> {
        // Debian has it where the path of users does not lead.
        let places = ["nginx", "/usr/sbin/nginx"];
        let is_there = |place: &&str| Command::new(place).arg("-v").output().is_ok();
        let Some(program) = places.into_iter().find(is_there) else {
            not_run("nginx is missing");
            return None;
        };
        (0..ATTEMPTS)
            .find_map(|_| Self::try_start(command(program), tree, directives))
            .or_else(|| {
                panic!("nginx does not start");
            })
    }

    fn try_start(mut command: Command, tree: &Tree, directives: &str) -> Option<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let path = write_configuration(tree, address, directives);
        let mut child = command
            .arg("-c")
            .arg(&path)
            .arg("-p")
            .arg(tree.beside())
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx");
        let mut has_ended = false;
        wait_until("nginx listens", || {
            has_ended = child.try_wait().expect("its state").is_some();
            has_ended || TcpStream::connect(address).is_ok()
        });
        (!has_ended).then_some(Self { child, address })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_configuration(tree: &Tree, address: SocketAddr, directives: &str) -> PathBuf {
    let beside = tree.beside().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {beside}/{what};\n"))
        .concat();
    let root = tree.root();
    let root = root.display();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {beside}/nginx.pid;\nerror_log /dev/null;\n\
         events {{}}\nhttp {{\naccess_log off;\n{temporary}\
         types {{ text/html html; text/plain txt; text/css css; application/json json; \
         image/png png; application/gzip gz; }}\n\
         default_type application/octet-stream;\n\
         charset utf-8;\ncharset_types text/plain text/css;\n\
         gzip_vary on;\nabsolute_redirect off;\n\
         limit_conn_zone $server_addr zone=connections:64k;\n\
         server {{\nlisten {address};\nroot {root};\nindex index.html;\n{directives}}}\n}}\n"
    );
    let path = tree.beside().join("nginx.conf");
    std::fs::write(&path, text).expect("a file");
    path
}

/// One of them as it is asked, with the tags that it has told.
pub(crate) struct Peer {
    address: SocketAddr,
    /// Whether the tags of what it makes are weak for good, and not for a moment.
    is_weak: bool,
    tags: HashMap<(String, String), String>,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            is_weak: false,
            tags: HashMap::new(),
        }
    }

    pub(crate) fn with_weak_tags(self) -> Self {
        Self {
            is_weak: true,
            ..self
        }
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Told {
        let tag = match request.needs_tag() {
            true => self.tag(request),
            false => String::new(),
        };
        self.send(
            &request.method,
            request,
            &request.lines().replace(TAG, &tag),
        )
    }

    /// The tag of what `request` gets without its conditions, as a strong one; one that fits nothing if it
    /// has none.
    fn tag(&mut self, request: &Request) -> String {
        let key = (request.target.clone(), request.codings.clone());
        if let Some(tag) = self.tags.get(&key) {
            return tag.clone();
        }
        let mut tag = String::new();
        wait_until("a strong tag", || {
            let told = self.send("HEAD", request, &request.coding_line());
            tag = told.tag.unwrap_or_else(|| "\"none\"".to_owned());
            self.is_weak || !tag.starts_with("W/")
        });
        let tag = tag.trim_start_matches("W/").to_owned();
        self.tags.insert(key, tag.clone());
        tag
    }

    fn send(&self, method: &str, request: &Request, lines: &str) -> Told {
        let mut client = Client::connect(self.address);
        Told::new(client.ask(method, &request.target, lines))
    }
}
