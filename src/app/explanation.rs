//! Errors for people and programs: a status and a sentence, written as text, HTML or JSON.
//!
//! It says what it is given and the status, and nothing of the server's inside.

use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::response::TEXT;
use crate::http::ErrorForm;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A problem as RFC 9457 §3.1 has it; `about:blank` says that it is what the status says.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// The content of an error response with `status` and `detail`, which may be empty, in `form`;
/// and its media type.
pub(super) fn explain(status: StatusCode, detail: &str, form: ErrorForm) -> (HeaderValue, String) {
    let code = status.as_str();
    let title = status.canonical_reason().unwrap_or("Error");
    match form {
        ErrorForm::Text => {
            let separator = if detail.is_empty() { "" } else { ": " };
            let line = [code, " ", title, separator, detail, "\n"].concat();
            (TEXT, line)
        }
        ErrorForm::Html => {
            let detail = escape(detail);
            let page = format!(
                "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
                 <meta name=\"viewport\" content=\"width=device-width\">\n\
                 <title>{code} {title}</title>\n<h1>{code} {title}</h1>\n<p>{detail}\n</html>\n"
            );
            (HTML, page)
        }
        ErrorForm::Json => {
            let problem = Problem {
                r#type: "about:blank",
                title,
                status: status.as_u16(),
                detail,
            };
            // Text and a number cannot fail.
            (PROBLEM, serde_json::to_string(&problem).unwrap_or_default())
        }
    }
}

/// `text` as the text of an HTML element.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(code: u16, detail: &str, form: ErrorForm) -> (HeaderValue, String) {
        explain(StatusCode::from_u16(code).unwrap(), detail, form)
    }

    #[test]
    fn text_is_a_line() {
        let cases = [
            (404, "", "404 Not Found\n"),
            (400, "No such thing.", "400 Bad Request: No such thing.\n"),
            (599, "", "599 Error\n"),
        ];
        for (code, detail, line) in cases {
            let text = explained(code, detail, ErrorForm::Text);
            assert_eq!(text, (TEXT, line.to_owned()));
        }
    }

    #[test]
    fn html_is_a_page_in_which_nothing_is_markup_but_ours() {
        let (content_type, page) = explained(400, "<script>&\"'", ErrorForm::Html);
        assert_eq!(content_type, HTML);
        assert!(page.contains("<title>400 Bad Request</title>"), "{page}");
        assert!(page.contains("<p>&lt;script&gt;&amp;\"'\n"), "{page}");
    }

    #[test]
    fn json_is_a_problem() {
        let (content_type, problem) = explained(404, "a \"b\"", ErrorForm::Json);
        assert_eq!(content_type, PROBLEM);
        let problem: serde_json::Value = serde_json::from_str(&problem).unwrap();
        let expected = serde_json::json!({
            "type": "about:blank", "title": "Not Found", "status": 404, "detail": "a \"b\"",
        });
        assert_eq!(problem, expected);
        let (_, problem) = explained(404, "", ErrorForm::Json);
        assert!(!problem.contains("detail"), "{problem}");
    }
}
