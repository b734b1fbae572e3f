//! Trailer fields, in both directions: reading a section whose syntax was checked, and which
//! fields may not stand there.

use ::http::header::{self, HeaderName, HeaderValue};

use super::fields::of_section;

/// Whether a field must not be a trailer (RFC 9110 §6.5.1): it frames or routes the message,
/// modifies or authenticates the request, controls the response, or says how to read the content,
/// and would be too late for that.
pub fn is_forbidden_trailer(name: &HeaderName) -> bool {
    matches!(
        *name,
        // Framing and the connection.
        header::TRANSFER_ENCODING
            | header::CONTENT_LENGTH
            | header::CONNECTION
            | header::UPGRADE
            | header::TE
            | header::TRAILER
            // Routing.
            | header::HOST
            // Controls and conditions.
            | header::CACHE_CONTROL
            | header::EXPECT
            | header::MAX_FORWARDS
            | header::PRAGMA
            | header::RANGE
            | header::IF_MATCH
            | header::IF_NONE_MATCH
            | header::IF_MODIFIED_SINCE
            | header::IF_UNMODIFIED_SINCE
            | header::IF_RANGE
            // Authentication and state.
            | header::AUTHORIZATION
            | header::PROXY_AUTHENTICATE
            | header::PROXY_AUTHORIZATION
            | header::WWW_AUTHENTICATE
            | header::COOKIE
            | header::SET_COOKIE
            // What steers the response.
            | header::AGE
            | header::DATE
            | header::EXPIRES
            | header::LOCATION
            | header::RETRY_AFTER
            | header::VARY
            // How the content is to be read.
            | header::CONTENT_ENCODING
            | header::CONTENT_TYPE
            | header::CONTENT_RANGE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// The fields of a trailer section in the order received, without those that are forbidden there,
/// which are dropped (RFC 9110 §6.5.1).
///
/// `section` is complete lines, whose syntax [`super::chunked`] has checked.
pub(super) fn fields(section: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    of_section(section)
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name).ok()?;
            let value = HeaderValue::from_bytes(value).ok()?;
            (!is_forbidden_trailer(&name)).then_some((name, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::encode::last_chunk;
    use super::*;

    #[test]
    fn fields_are_read_in_order_without_the_forbidden() {
        let section = b"X-Sum: 1\r\nHost: evil\r\nx-sum:\t2 \r\nContent-Length: 5\r\n\
            Transfer-Encoding: chunked\r\nETag: \"a: b\"\r\nKeep-Alive: x\r\nempty:\r\n";
        let read: Vec<_> = fields(section)
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        assert_eq!(read, ["x-sum=1", "x-sum=2", "etag=\"a: b\"", "empty="]);
        assert!(fields(b"").is_empty());
    }

    /// Every field that is forbidden, as RFC 9110 §6.5.1 groups them.
    const FORBIDDEN: &[&str] = &[
        "Transfer-Encoding",
        "Content-Length",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Upgrade",
        "TE",
        "Trailer",
        "Host",
        "Cache-Control",
        "Expect",
        "Max-Forwards",
        "Pragma",
        "Range",
        "If-Match",
        "If-None-Match",
        "If-Modified-Since",
        "If-Unmodified-Since",
        "If-Range",
        "Authorization",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "WWW-Authenticate",
        "Cookie",
        "Set-Cookie",
        "Age",
        "Date",
        "Expires",
        "Location",
        "Retry-After",
        "Vary",
        "Content-Encoding",
        "Content-Type",
        "Content-Range",
    ];

    /// Fields that say something of content which was read already, and names that are only like
    /// forbidden ones.
    const ALLOWED: &[&str] = &[
        "ETag",
        "Last-Modified",
        "Server-Timing",
        "Digest",
        "Content-Digest",
        "Repr-Digest",
        "Signature",
        "Grpc-Status",
        "Link",
        "Content-Location",
        "X-Content-Length",
        "Content-Length-2",
        "Content_Length",
        "Hosts",
        "T",
    ];

    #[test]
    fn a_field_is_forbidden_in_both_directions_or_in_neither() {
        let forbidden = FORBIDDEN.iter().map(|name| (name, true));
        let allowed = ALLOWED.iter().map(|name| (name, false));
        for (name, is_forbidden) in forbidden.chain(allowed) {
            for name in [
                name.to_string(),
                name.to_ascii_lowercase(),
                name.to_uppercase(),
            ] {
                let section = format!("a: 1\r\n{name}: 2\r\n");
                let read = fields(section.as_bytes());
                assert_eq!(read.len() == 1, is_forbidden, "{name} of a request");

                let (name, value) = (name.parse().unwrap(), HeaderValue::from_static("2"));
                let mut written = Vec::new();
                last_chunk(&mut written, [(&name, &value)]);
                assert_eq!(
                    written == b"0\r\n\r\n",
                    is_forbidden,
                    "{name} of a response"
                );
            }
        }
    }
}
