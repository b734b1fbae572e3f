//! The response of what is remembered of a file, or of an open one, as its representation decides.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use http::Method;

use super::cache::{Content, Kept};
use super::parts::{FileBody, Origin};
use super::representation::{Outcome, Representation};
use super::transfer::{Held, Way};
use super::version::Version;
use crate::app::{Body, Request, Response};
use crate::limits::INLINE_BODY_BYTES;

/// Makes the boundaries of multipart responses, which nobody can foresee.
#[derive(Debug, Default)]
struct Boundaries {
    keys: RandomState,
    made: Cell<u64>,
}

impl Boundaries {
    fn make(&self) -> String {
        let number = self.made.get();
        self.made.set(number.wrapping_add(1));
        let half = |half: u64| {
            let mut hasher = self.keys.build_hasher();
            hasher.write_u64(number);
            hasher.write_u64(half);
            hasher.finish()
        };
        format!("{:016x}{:016x}", half(0), half(1))
    }
}

/// What the answers of a folder have in common.
#[derive(Debug)]
pub(super) struct Answers {
    boundaries: Boundaries,
    way: Way,
}

impl Answers {
    pub(super) fn new(way: Way) -> Self {
        Self {
            boundaries: Boundaries::default(),
            way,
        }
    }
}

/// The response from what is remembered of `version`.
///
/// # Errors
/// The file has changed, or cannot be read.
pub(super) async fn from_kept(
    kept: &Kept,
    version: Version,
    request: &Request,
    answers: &Answers,
) -> io::Result<Response> {
    match &kept.content {
        Content::Whole(content) => {
            let representation = &kept.representation;
            Ok(from_memory(representation, content, request, answers))
        }
        Content::Open(file) => {
            let held = Held::new(Rc::clone(file), version);
            from_origin(
                Origin::Held(held, None),
                &kept.representation,
                request,
                answers,
            )
            .await
        }
        Content::Replica(replica) => {
            from_origin(Origin::of(replica), &kept.representation, request, answers).await
        }
    }
}

/// The response from content that is in memory as a whole.
pub(super) fn from_memory(
    representation: &Representation,
    content: &Bytes,
    request: &Request,
    answers: &Answers,
) -> Response {
    let part = |range: &Range<u64>| content.slice(range.start as usize..range.end as usize);
    match representation.answer(request.head(), || answers.boundaries.make()) {
        Outcome::Bare(response) => response,
        Outcome::Whole(response) => response.with_body(content.clone()),
        Outcome::Part(response, range) => response.with_body(part(&range)),
        Outcome::Parts(response, multipart) => {
            let mut body = Vec::new();
            for (head, range) in &multipart.parts {
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(&part(range));
            }
            body.extend_from_slice(multipart.end.as_bytes());
            response.with_body(body)
        }
    }
}

/// The response from where its content is.
///
/// # Errors
/// The file has changed, or cannot be read.
pub(super) async fn from_origin(
    origin: Origin,
    representation: &Representation,
    request: &Request,
    answers: &Answers,
) -> io::Result<Response> {
    let is_head = request.method() == Method::HEAD;
    match representation.answer(request.head(), || answers.boundaries.make()) {
        Outcome::Bare(response) => Ok(response),
        Outcome::Whole(response) => {
            let whole = 0..representation.length();
            part_of(origin, whole, response, is_head, &answers.way).await
        }
        Outcome::Part(response, range) => {
            part_of(origin, range, response, is_head, &answers.way).await
        }
        Outcome::Parts(response, multipart) => {
            let first = multipart.parts.first().map_or(0, |(_, range)| range.start);
            let origin = origin.sampled(first).await?;
            let body = FileBody::parts(origin, multipart, answers.way.clone());
            let length = body.length();
            Ok(response.with_body(Body::stream(body, Some(length))))
        }
    }
}

/// `response` with a part of a file: read already if it is small, and only told of for HEAD.
async fn part_of(
    origin: Origin,
    range: Range<u64>,
    response: Response,
    is_head: bool,
    way: &Way,
) -> io::Result<Response> {
    let length = range.end - range.start;
    let body = if is_head {
        Body::stream(FileBody::part(origin, range, way.clone()), Some(length))
    } else if length <= INLINE_BODY_BYTES as u64 {
        let content = origin.read(range.start, length as usize).await;
        content?.into()
    } else {
        let origin = origin.sampled(range.start).await?;
        Body::stream(FileBody::part(origin, range, way.clone()), Some(length))
    };
    Ok(response.with_body(body))
}
