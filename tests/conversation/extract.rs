//! What a request says, as handlers ask for it: query, JSON, forms, cookies, segments, conditions.

use super::{request, sent, statuses};
use corelane::http::{IfRange, Validators, Verdict};
use corelane::limits::BODY_BYTES;
use corelane::testing::{Conversation, TestClient};
use corelane::{App, Json, Request};
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Deserialize, Serialize)]
struct Wanted {
    id: u32,
    name: Option<String>,
    #[serde(default)]
    tag: Vec<String>,
}

fn app() -> App {
    App::new()
        .get("/query", async |request: Request| {
            Ok::<_, corelane::Error>(Json(request.query::<Wanted>()?))
        })
        .post("/json", async |mut request: Request| {
            let wanted: Wanted = request.json().await?;
            let again: serde_json::Value = request.json().await?;
            assert_eq!(again["id"], wanted.id);
            Ok::<_, corelane::Error>(Json(wanted))
        })
        .post("/form", async |mut request: Request| {
            Ok::<_, corelane::Error>(Json(request.form::<Wanted>().await?))
        })
        .get("/cookies", async |request: Request| {
            let all: Vec<_> = request.cookies().map(|(name, _)| name).collect();
            format!("{}: {:?}", all.join(","), request.cookie("a"))
        })
        .mount("/segments", async |request: Request| {
            format!("{:?}", request.segments().collect::<Vec<_>>())
        })
        .any("/select", async |request: Request| {
            let selection = request.select(&Validators::default(), 10);
            let told = selection.content_range(10);
            told.map_or_else(String::new, |value| format!("{value:?}"))
        })
        .any("/judge", async |request: Request| {
            let tag = Validators {
                entity_tag: Some("\"a\""),
                modified: None,
            };
            match request.judge(&tag) {
                Verdict::Perform => "perform",
                Verdict::NotModified => "not modified",
                Verdict::Failed => "failed",
            }
        })
}

/// Sends `message` to an app of its own: the status and what the answer ends with.
fn answer(message: &[u8]) -> (u16, String) {
    let mut peer = Conversation::new(app()).unwrap();
    peer.deliver(message);
    let answer = sent(&mut peer);
    let (_, content) = answer.split_once("\r\n\r\n").expect("a head");
    (statuses(&answer)[0], content.to_owned())
}

#[test]
fn queries_as_values() {
    let cases = [
        ("?id=7", 200, r#"{"id":7,"name":null,"tag":[]}"#),
        (
            "?tag=a&id=7&tag=b+c&name=%C3%A9%26",
            200,
            r#"{"id":7,"name":"é&","tag":["a","b c"]}"#,
        ),
        (
            "?id=7&other=1&name=%FF",
            200,
            "{\"id\":7,\"name\":\"\u{fffd}\",\"tag\":[]}",
        ),
        (
            "",
            400,
            "400 Bad Request: The query does not fit: missing field `id`.\n",
        ),
        (
            "?",
            400,
            "400 Bad Request: The query does not fit: missing field `id`.\n",
        ),
        (
            "?id=-1",
            400,
            "400 Bad Request: The query does not fit: invalid digit found in string.\n",
        ),
    ];
    for (query, status, content) in cases {
        let message = request("GET", &format!("/query{query}"), "");
        assert_eq!(answer(&message), (status, content.to_owned()), "{query}");
    }
}

/// A POST of `content`, whose type is told in `fields`.
fn post(path: &str, fields: &str, content: &str) -> Vec<u8> {
    let length = content.len();
    let rest = format!("{fields}Content-Length: {length}\r\n\r\n{content}");
    let mut message = request("POST", path, &rest);
    // The empty line of the head is in `rest` already.
    message.truncate(message.len() - 2);
    message
}

#[test]
fn json_as_values() {
    const JSON: &str = "Content-Type: application/json\r\n";
    const UNSUPPORTED: &str = "415 Unsupported Media Type: The content must be application/json.\n";
    let seven = r#"{"id":7,"name":null,"tag":[]}"#;
    let cases = [
        (JSON, r#"{"id": 7}"#, 200, seven),
        (
            "content-type: application/vnd.a+JSON ;charset=utf-8\r\n",
            r#"{"id": 7}"#,
            200,
            seven,
        ),
        ("", r#"{"id": 7}"#, 415, UNSUPPORTED),
        ("Content-Type: text/plain\r\n", "{}", 415, UNSUPPORTED),
        (
            "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
            "{}",
            415,
            UNSUPPORTED,
        ),
        (
            JSON,
            "{\n\"id\": 7,}",
            400,
            "400 Bad Request: The JSON does not fit: trailing comma at line 2 column 9.\n",
        ),
        (
            JSON,
            "{}",
            400,
            "400 Bad Request: The JSON does not fit: missing field `id` at line 1 column 2.\n",
        ),
        (
            JSON,
            "",
            400,
            "400 Bad Request: The JSON does not fit: EOF while parsing a value at line 1 column 0.\n",
        ),
    ];
    for (fields, content, status, expected) in cases {
        let answer = answer(&post("/json", fields, content));
        assert_eq!(answer, (status, expected.to_owned()), "{fields}{content}");
    }
}

#[test]
fn json_is_read_up_to_the_limit_of_the_body() {
    for (excess, status) in [(0, 200), (1, 413)] {
        let json = r#"{"id":7}"#;
        let spaces = " ".repeat(BODY_BYTES as usize - json.len() + excess);
        let message = post(
            "/json",
            "Content-Type: application/json\r\n",
            &[json, &spaces].concat(),
        );
        assert_eq!(answer(&message).0, status);
    }
}

#[test]
fn forms_as_values() {
    const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
    let cases = [
        (
            FORM,
            "id=7&name=a+b&tag=c&tag=d",
            200,
            r#"{"id":7,"name":"a b","tag":["c","d"]}"#,
        ),
        (
            FORM,
            "name=a",
            400,
            "400 Bad Request: The form does not fit: missing field `id`.\n",
        ),
        (
            "Content-Type: multipart/form-data\r\n",
            "id=7",
            415,
            "415 Unsupported Media Type: The content must be application/x-www-form-urlencoded.\n",
        ),
    ];
    for (fields, content, status, expected) in cases {
        let answer = answer(&post("/form", fields, content));
        assert_eq!(answer, (status, expected.to_owned()), "{fields}{content}");
    }
}

#[test]
fn cookies_of_all_fields() {
    let cases = [
        ("", ": None"),
        ("Cookie: b=1; a=2; a=3\r\n", "b,a,a: Some(\"2\")"),
        ("Cookie: b=1\r\ncookie: a=\"2\"\r\n", "b,a: Some(\"2\")"),
        ("Cookie: A=1\r\n", "A: None"),
    ];
    for (fields, expected) in cases {
        let message = request("GET", "/cookies", fields);
        assert_eq!(answer(&message), (200, expected.to_owned()));
    }
}

#[test]
fn segments_of_paths() {
    let cases = [
        ("/segments", r#"["segments"]"#),
        ("/segments/", r#"["segments", ""]"#),
        ("/segments/a%2Fb/%C3%A9?/c", r#"["segments", "a/b", "é"]"#),
        (
            "/segments//../%FF",
            "[\"segments\", \"\", \"..\", \"\u{fffd}\"]",
        ),
    ];
    for (path, expected) in cases {
        let message = request("GET", path, "");
        assert_eq!(answer(&message), (200, expected.to_owned()));
    }
}

#[test]
fn conditions_are_judged() {
    let cases = [
        ("GET", "", "perform"),
        ("GET", "If-None-Match: W/\"a\"\r\n", "not modified"),
        ("PUT", "If-None-Match: *\r\n", "failed"),
        ("PUT", "If-Match: \"a\"\r\n", "perform"),
    ];
    for (method, fields, expected) in cases {
        let message = request(method, "/judge", fields);
        assert_eq!(answer(&message), (200, expected.to_owned()));
    }
}

#[test]
fn ranges_are_selected() {
    let cases = [
        ("GET", "", ""),
        ("GET", "Range: bytes=2-\r\n", "\"bytes 2-9/10\""),
        ("GET", "Range: bytes=2-\r\nIf-Range: \"a\"\r\n", ""),
        ("PUT", "Range: bytes=2-\r\n", ""),
    ];
    for (method, fields, expected) in cases {
        let message = request(method, "/select", fields);
        assert_eq!(answer(&message), (200, expected.to_owned()));
    }
}

#[test]
fn facts_of_a_head() {
    let app = App::new()
        .any("/facts", async |request: Request| {
            let version = format!("{:?}", request.version());
            let facts = [
                request.url().unwrap_or("none".into()),
                format!("{:?}", request.content_length()),
                format!("{:?}", request.charset()),
                format!("{:?}", request.user_agent()),
                format!("{:?}", request.keep_alive()),
                version,
            ];
            facts.join(" ")
        })
        .get("/conditions", async |request: Request| {
            let told = |tags: Option<corelane::http::EntityTags<'_>>| {
                tags.map(|tags| {
                    let tags_told = tags
                        .iter()
                        .map(|tag| String::from_utf8_lossy(tag).into_owned());
                    (tags.is_any(), tags_told.collect::<Vec<_>>())
                })
            };
            let seconds = |time: Option<SystemTime>| {
                time.map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs())
            };
            let if_range = match request.if_range() {
                Some(IfRange::Tag(tag)) => String::from_utf8_lossy(tag).into_owned(),
                Some(IfRange::Date(time)) => format!("{:?}", seconds(Some(time))),
                None => "none".to_owned(),
            };
            format!(
                "{:?} {:?} {:?} {:?} {if_range} {:?}",
                told(request.if_match()),
                told(request.if_none_match()),
                seconds(request.if_modified_since()),
                seconds(request.if_unmodified_since()),
                request.range(),
            )
        });
    let mut client = TestClient::new(app);
    let mut told = |target: &str, fields: &[(&str, &str)]| {
        let method = if target.ends_with('!') { "POST" } else { "GET" };
        let request = client.request(method.parse().unwrap(), target.trim_end_matches('!'));
        let request = fields.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let request = if method == "POST" {
            request.body("abc")
        } else {
            request
        };
        request.send().text().to_owned()
    };
    assert_eq!(
        told("/facts?a=%20", &[("User-Agent", "me")]),
        "http://localhost/facts?a=%20 Some(0) None Some(\"me\") true HTTP/1.1"
    );
    assert_eq!(
        told(
            "http://example.org:81/facts!",
            &[
                ("Content-Type", "a/b;charset=\"X\""),
                ("Connection", "close")
            ]
        ),
        "http://example.org:81/facts Some(3) Some(\"X\") None false HTTP/1.1"
    );
    assert_eq!(told("/conditions", &[]), "None None None None none None");
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(
        told(
            "/conditions",
            &[
                ("If-Match", "*"),
                ("If-None-Match", "\"a\", W/\"b\""),
                ("If-None-Match", "\"c\""),
                ("If-Modified-Since", date),
                ("If-Unmodified-Since", "x"),
                ("If-Range", date),
                ("Range", "bytes=1-"),
            ]
        ),
        "Some((true, [])) Some((false, [\"\\\"a\\\"\", \"W/\\\"b\\\"\", \"\\\"c\\\"\"])) Some(784111777) \
         None Some(784111777) Some(From(1, None))"
    );
    assert_eq!(
        told(
            "/conditions",
            &[("If-Range", "\"a\""), ("Range", "bytes=-5")]
        ),
        "None None None None \"a\" Some(Last(5))"
    );
}

#[test]
fn content_is_read_by_its_charset() {
    let app = App::new()
        .post("/text", async |mut request: Request| request.text().await)
        .post("/form", async |mut request: Request| {
            let pairs: Vec<(String, String)> = request.form().await?;
            Ok::<_, corelane::Error>(format!("{pairs:?}"))
        });
    const FORM: &str = "application/x-www-form-urlencoded";
    let latin = if cfg!(feature = "charset") { 200 } else { 415 };
    let cases: [(&str, String, &[u8], u16, &str); 8] = [
        ("/text", "text/plain".into(), "é".as_bytes(), 200, "é"),
        (
            "/text",
            "text/plain; charset=UTF-8".into(),
            "é".as_bytes(),
            200,
            "é",
        ),
        (
            "/text",
            "text/plain; charset=latin1".into(),
            b"\xe9",
            latin,
            "é",
        ),
        ("/text", "text/plain; charset=none".into(), b"a", 415, ""),
        ("/text", "text/plain".into(), b"\xe9", 400, ""),
        ("/form", FORM.into(), b"a=%C3%A9", 200, "[(\"a\", \"é\")]"),
        ("/form", FORM.into(), b"a=%E9", 400, ""),
        (
            "/form",
            format!("{FORM};charset=latin1"),
            b"a=%E9",
            latin,
            "[(\"a\", \"é\")]",
        ),
    ];
    let mut client = TestClient::new(app);
    for (path, content_type, content, status, text) in cases {
        let request = client.post(path).header("Content-Type", &content_type);
        let answer = request.body(content).send();
        assert_eq!(answer.status(), status, "{content_type} {content:?}");
        if status == 200 {
            assert_eq!(answer.text(), text);
        }
    }
}
