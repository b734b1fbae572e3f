//! HTTP/1.1 as pure code: bytes in, decisions out.

mod date;
mod encode;

pub use date::HttpDate;
pub use encode::{
    BodyFraming, CHUNK_END, CONTINUE, Connection, chunk, chunk_head, last_chunk, response_head,
};
