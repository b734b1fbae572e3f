//! HTTP/1.1 as pure code: bytes in, decisions out.
