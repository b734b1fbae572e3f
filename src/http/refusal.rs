//! What the peer did wrong, as data: a status to answer with and a sentence to say.
//!
//! It says nothing of our own failures and does not write the response.

use std::fmt;

use ::http::StatusCode;

/// Why a message cannot be served.
///
/// Every refusal is answered with its status, and the connection then closes: after a message
/// that was not understood, nobody can say where the next one begins (RFC 9112 §9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status to answer with, always 4xx or 5xx.
    pub status: StatusCode,
    /// One sentence for the peer's author, without anything about this server's inside.
    pub detail: &'static str,
}

/// Declares the refusals as associated constants, each documented by the clause behind it.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $detail:literal;)*) => {
        impl Refusal {
            $($(#[$doc])*
            pub const $name: Refusal = Refusal { status: StatusCode::$status, detail: $detail };)*
        }
    };
}

refusals! {
    /// A TLS record of type handshake (22) arrived where a request line belongs.
    TLS_HELLO = BAD_REQUEST, "This port speaks plain HTTP, but the client began a TLS handshake.";
    /// The client connection preface of RFC 9113 §3.4.
    HTTP2_PREFACE = HTTP_VERSION_NOT_SUPPORTED, "This port speaks HTTP/1.1, but the client began HTTP/2 without negotiating it.";
    /// RFC 9112 §2.2: one empty line before the request line is ignored, not more.
    EMPTY_LINES = BAD_REQUEST, "More than one empty line precedes the request line.";
    /// RFC 9112 §2.2: a recipient may accept a bare LF; two recipients that differ are an attack.
    BARE_LF = BAD_REQUEST, "A line of the message head does not end in CR LF.";
    /// RFC 9112 §3: `method SP request-target SP HTTP-version`.
    REQUEST_LINE = BAD_REQUEST, "The request line is not a method, a target and a version with one space between them.";
    /// RFC 9112 §3: longer than the limit, and the target makes it so.
    REQUEST_LINE_TOO_LONG = URI_TOO_LONG, "The request line is longer than this server accepts.";
    /// RFC 9110 §9.1: a method is a token.
    METHOD = BAD_REQUEST, "The method is not a token.";
    /// RFC 9112 §3: a method longer than any that the server implements.
    METHOD_TOO_LONG = NOT_IMPLEMENTED, "The method is longer than any that this server implements.";
    /// RFC 9112 §2.3: `HTTP/` DIGIT `.` DIGIT, in capitals.
    VERSION_SYNTAX = BAD_REQUEST, "The HTTP version is malformed.";
    /// RFC 9110 §15.6.6: a major version other than 1.
    VERSION = HTTP_VERSION_NOT_SUPPORTED, "This server speaks HTTP/1.1 and HTTP/1.0.";
    /// RFC 3986 §2 and §3: an octet that no target may contain, or a broken percent-encoding.
    TARGET = BAD_REQUEST, "The request target contains a character that is not allowed there.";
    /// RFC 9112 §3.2: none of the four forms, or one that does not go with the method.
    TARGET_FORM = BAD_REQUEST, "The request target has no form that this method may use.";
    /// RFC 9112 §3.2.2: absolute-form with a scheme other than http and https.
    SCHEME = BAD_REQUEST, "The scheme of the request target is not http.";
    /// RFC 9110 §7.4: an https resource asked for over a connection that is not secured.
    HTTPS_UNSECURED = MISDIRECTED_REQUEST, "An https resource cannot be served on a connection without TLS.";
    /// RFC 9110 §4.2.1, §4.2.4 and §9.3.6: an empty host, user information, or a bad port.
    AUTHORITY = BAD_REQUEST, "The authority in the request target is not a valid host and port.";
    /// RFC 9110 §5.1: a field name is a token that ends at the colon.
    FIELD_NAME = BAD_REQUEST, "A field line has no valid field name.";
    /// RFC 9112 §5.1: no white space between a field name and its colon.
    SPACE_BEFORE_COLON = BAD_REQUEST, "White space stands between a field name and its colon.";
    /// RFC 9112 §5.2: line folding is obsolete; and §2.2: no white space before the first field.
    OBS_FOLD = BAD_REQUEST, "A field line begins with white space.";
    /// RFC 9110 §5.5: CR, LF, NUL and the other controls have no place in a field value.
    FIELD_VALUE = BAD_REQUEST, "A field value contains a control character.";
    /// RFC 6585 §5: the field section as a whole.
    FIELD_SECTION_TOO_LONG = REQUEST_HEADER_FIELDS_TOO_LARGE, "The header fields together are longer than this server accepts.";
    /// RFC 6585 §5: the number of field lines.
    TOO_MANY_FIELDS = REQUEST_HEADER_FIELDS_TOO_LARGE, "The request has more header fields than this server accepts.";
    /// RFC 9112 §3.2: an HTTP/1.1 request without Host.
    HOST_MISSING = BAD_REQUEST, "The request has no Host field.";
    /// RFC 9112 §3.2: more than one Host line.
    HOST_REPEATED = BAD_REQUEST, "The request has more than one Host field.";
    /// RFC 9112 §3.2: a Host that is not `uri-host [ ":" port ]`, or empty where http needs one.
    HOST_INVALID = BAD_REQUEST, "The Host field is not a valid host and port.";
    /// RFC 9112 §6.3: a Content-Length that is not one decimal number below 2^64.
    LENGTH_INVALID = BAD_REQUEST, "The Content-Length is not one decimal number.";
    /// RFC 9112 §6.3: two Content-Length lines that disagree.
    LENGTHS_DIFFER = BAD_REQUEST, "The Content-Length fields disagree.";
    /// RFC 9112 §6.1 and §6.3: both framings at once.
    LENGTH_AND_CODING = BAD_REQUEST, "The request has both Content-Length and Transfer-Encoding.";
    /// RFC 9112 §6.1: HTTP/1.0 has no transfer codings; the framing is faulty.
    CODING_IN_HTTP_10 = BAD_REQUEST, "Transfer-Encoding does not exist in HTTP/1.0.";
    /// RFC 9112 §6.3: the final coding of a request must be chunked, applied once.
    CODING_NOT_CHUNKED = BAD_REQUEST, "The final transfer coding is not a single chunked.";
    /// RFC 9112 §6.1: a transfer coding that the server does not understand.
    CODING_UNKNOWN = NOT_IMPLEMENTED, "The only transfer coding that this server understands is chunked.";
    /// RFC 9110 §10.1.1: an expectation other than 100-continue.
    EXPECTATION = EXPECTATION_FAILED, "The only expectation that this server meets is 100-continue.";
    /// RFC 9110 §15.5.9: the head was not complete in time.
    HEAD_TIMEOUT = REQUEST_TIMEOUT, "The request did not arrive in time.";
    /// RFC 9110 §15.5.14: the declared or received content is over the limit.
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, "The request content is larger than this server accepts here.";
    /// RFC 9110 §8.4: the content is not in the coding that Content-Encoding names, or not all of it.
    CONTENT_CODING = BAD_REQUEST, "The content is not what its Content-Encoding says.";
    /// RFC 9112 §7.1: `1*HEXDIG`, below 2^64, ended by CR LF.
    CHUNK_SIZE = BAD_REQUEST, "A chunk size is not one hexadecimal number.";
    /// RFC 9112 §7.1.1: the grammar of chunk extensions.
    CHUNK_EXTENSION = BAD_REQUEST, "A chunk extension is malformed.";
    /// RFC 9112 §7.1.1: extensions must be bounded; one line, or all of a body together.
    CHUNK_LINE_TOO_LONG = BAD_REQUEST, "The chunk extensions are longer than this server accepts.";
    /// RFC 9112 §7.1: chunk data is followed by CR LF.
    CHUNK_END = BAD_REQUEST, "The data of a chunk is not followed by CR LF.";
    /// RFC 9112 §7.1.2: trailers are field lines.
    TRAILER = BAD_REQUEST, "A trailer field is malformed.";
    /// RFC 6585 §5, for the trailer section.
    TRAILER_TOO_LONG = REQUEST_HEADER_FIELDS_TOO_LARGE, "The trailer fields together are longer than this server accepts.";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_its_status_and_its_sentence() {
        assert_eq!(
            Refusal::VERSION.to_string(),
            "505 HTTP Version Not Supported: This server speaks HTTP/1.1 and HTTP/1.0."
        );
    }
}
