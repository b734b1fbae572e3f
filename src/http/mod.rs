//! HTTP/1.1 as pure code: bytes in, decisions out.
//!
//! Nothing here touches a socket, a file, a clock or an executor; time is an argument. What the
//! peer did wrong comes back as a [`Refusal`], never as a panic. The path of a request:
//!
//! ```text
//! bytes ─HeadParser→ RequestHead ─Framing→ BodyDecoder ─ranges of data→
//!                                           response_head, chunk, last_chunk ─→ bytes
//! ```
//!
//! Every limit it enforces comes from [`crate::limits`]; which requirement of the RFCs is held by
//! which test is told in [`conformance`].

mod accept;
mod body;
mod chars;
mod chunked;
mod coding;
mod compressible;
mod conditions;
mod cycle;
mod date;
#[cfg(test)]
mod deliveries;
mod encode;
mod fields;
mod framing;
mod head;
mod parser;
#[cfg(test)]
mod properties;
mod range;
mod refusal;
mod target;
mod trailers;

#[doc = include_str!("CONFORMANCE.md")]
pub mod conformance {}

pub use crate::limits::HeadLimits;
pub use accept::{ErrorForm, names_type, preferred_type};
pub use body::{BodyDecoder, BodyLimits, Decoded};
pub use coding::{AcceptedCodings, CodingChoice, ContentCoding};
pub(crate) use compressible::is_compressible;
#[cfg(feature = "compression")]
pub(crate) use conditions::is_listed;
pub use conditions::{EntityTags, Validators, Verdict};
pub use cycle::{CloseReason, Event, State};
pub use date::HttpDate;
pub use encode::{
    BodyFraming, CHUNK_END, CONTINUE, Connection, Preamble, chunk, chunk_head, field_lines,
    last_chunk, response_head,
};
pub use fields::Fields;
pub use framing::Framing;
pub(crate) use framing::members;
pub use head::RequestHead;
pub use parser::HeadParser;
pub use range::{IfRange, IgnoredRange, RangeSpec, Selection, content_range};
pub use refusal::Refusal;
pub use target::TargetForm;
pub use trailers::is_forbidden_trailer;
