//! The example does what the documentation says of it.

#[path = "examples/hello.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod hello;

use corelane::Server;
use corelane::cores::CoreSelection;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// The status line and the content of the response to one request on a connection of its own.
fn ask(address: SocketAddr, request_line: &str, content: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = content.len();
    let request = format!(
        "{request_line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{content}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, content) = response.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap_or_default();
    (status.to_owned(), content.to_owned())
}

#[test]
fn the_example_serves_what_it_says() {
    let one = CoreSelection::Count(1.try_into().unwrap());
    let server = Server::bind("127.0.0.1:0").cores(one);
    let running = server.start(hello::app).unwrap();
    let address = running.addresses()[0];
    let page = include_str!("examples/public/index.html");
    let table = [
        ("GET /", "", "200 OK", "Hello, Anonymous"),
        ("GET /Zo%C3%AB", "", "200 OK", "Hello, Zoë"),
        ("GET /visits", "", "200 OK", "visit 1 on core 0"),
        ("GET /visits", "", "200 OK", "visit 2 on core 0"),
        ("POST /double", "21", "200 OK", "42"),
        (
            "POST /double",
            "x",
            "400 Bad Request",
            "400 Bad Request: send a whole number\n",
        ),
        ("GET /static/", "", "200 OK", page),
        ("GET /static/index.html", "", "200 OK", page),
        ("GET /static/none", "", "404 Not Found", "404 Not Found\n"),
        (
            "GET /double",
            "",
            "405 Method Not Allowed",
            "405 Method Not Allowed\n",
        ),
    ];
    for (request_line, content, status, answer) in table {
        let expected = (format!("HTTP/1.1 {status}"), answer.to_owned());
        assert_eq!(
            ask(address, request_line, content),
            expected,
            "{request_line}"
        );
    }
    running.stop().unwrap();
}
