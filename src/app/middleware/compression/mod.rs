//! Compressing the content of responses: whether, with which coding, and what their fields say of
//! it. How it is done piece by piece is `source.rs`'s.

mod source;

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use self::source::Encoded;
use super::{Coders, Middleware, Next};
use crate::app::{Answer, Body, BodyError, Headers, Request, Response};
use crate::coding::{Levels, Spares, Step, can_encode};
use crate::http::{
    AcceptedCodings, CodingChoice, ContentCoding, is_compressible, is_listed, members,
};
use crate::limits::{CODING_SLICE_BYTES, COMPRESS_FROM_BYTES};
use crate::permits::Permits;

/// What is chosen between codings that a peer wants alike.
const PREFERRED: [ContentCoding; 3] = [
    ContentCoding::Zstd,
    ContentCoding::Gzip,
    ContentCoding::Brotli,
];

/// Fields that tell a digest of the content as it goes out (RFC 9530, and what came before it).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Compresses the content of responses for peers that accept it (RFC 9110 §12.5.3).
///
/// ```
/// use corelane::App;
/// use corelane::app::middleware::Compression;
///
/// let app = App::new()
///     .wrap(Compression::new())
///     .get("/", async |_| "Hello ".repeat(1000));
/// ```
///
/// The coding is the one that the peer gives the greatest weight. Between equals it is zstd, then gzip,
/// then br, as far as there are features for them (`compression`, `compression-zstd`,
/// `compression-br`): at the default levels they make content about as small as each other, and each
/// takes longer than the one before. A higher level makes it smaller, by less and less, and takes longer
/// still. [`prefer`](Compression::prefer) and [`level`](Compression::level) change that.
///
/// # What is left alone
/// - Content of less than [`COMPRESS_FROM_BYTES`] where its length is known.
/// - Content whose type is not worth it: see [`Compression::is_worthwhile`].
/// - `text/event-stream` is one of those: each stream would hold an encoder (0.4 to 1.8 MB) for as long
///   as it lasts. Where [`media_types`](Compression::media_types) allows it, each event is sent as soon
///   as there is one, like all that is streamed.
/// - What has a Content-Encoding, is part of a whole (206, Content-Range), tells a digest of its
///   octets, or says `Cache-Control: no-transform`.
///
/// A peer that refuses content without a coding (`identity;q=0`) and accepts one of these gets that
/// for small content and all types, too. One that accepts nothing at all gets the content as it is:
/// RFC 9110 §12.1 lets a server disregard the field, the handler has done its work by then, and 406
/// would tell the peer less.
///
/// # What responses say
/// - `Vary: Accept-Encoding`, as well where nothing was compressed but might have been.
/// - A strong ETag becomes weak: the content is the same in meaning, not octet by octet (RFC 9110
///   §8.8.3.3). If-None-Match compares weakly and works as before; a 304 tells the tag that its peer
///   has. If-Match compares strongly, so a tag from a compressed response never fits: routes whose
///   ETag is there for it should say `no-transform`.
/// - No Accept-Ranges and no length, which is not known before, but where at most
///   [`CODING_SLICE_BYTES`] were compressed at once. The answer to HEAD has the same fields; nothing is
///   compressed for it.
///
/// A peer that was sent a compressed response and continues it with Range by a date (If-Range) gets a
/// part of the content without a coding, as files do; RFC 9110 §13.1.5 has it use a strong validator
/// for that, and there is none.
///
/// # What it costs
/// At most [`CODING_SLICE_BYTES`] are compressed before the other tasks of the core get their turn, so
/// no response holds it up for more than about a millisecond (at the default levels). A streamed
/// response is compressed as it is made, and never ahead of its peer: in memory are its encoder, one
/// slice and one piece. What was yielded before a pause is sent before the pause. Encoders are kept
/// for the next response ([`SPARE_ENCODERS`](crate::limits::SPARE_ENCODERS)); brotli's cannot be.
///
/// A peer that reads slowly has its encoder for long, so there is a most of them on a core: beyond
/// [`ENCODERS`](crate::limits::ENCODERS), or its own ([`encoders`](Compression::encoders)), content is sent
/// as it is, if it is too long to be compressed at once. Then a peer pays in bytes for those that are slow,
/// and the core in nothing.
///
/// # Secrets
/// The length of compressed content tells whether it repeats itself. Where it has a secret and
/// something that an attacker chose, and the attacker sees lengths, the secret can be guessed piece
/// by piece, in spite of TLS (BREACH). Such responses, a form with a CSRF token for instance, should
/// mask the token anew in each, or not be compressed: `no-transform`, or routes without this.
#[derive(Clone)]
pub struct Compression(Rc<Rules>);

#[derive(Clone)]
struct Rules {
    preferred: Vec<ContentCoding>,
    levels: Levels,
    from_bytes: usize,
    /// Those of its own; `None` for the core's.
    encoders: Option<Permits>,
    is_worthwhile: Rc<dyn Fn(&str) -> bool>,
    spares: Rc<Spares>,
}

/// What a request says that matters to its response.
struct Asked {
    codings: AcceptedCodings,
    is_head: bool,
    /// How many encoders there may be for such requests.
    encoders: Permits,
    /// The values of If-None-Match; almost always none.
    known_tags: Vec<HeaderValue>,
}

impl Compression {
    /// With the defaults.
    pub fn new() -> Compression {
        let preferred = PREFERRED.into_iter().filter(|&coding| can_encode(coding));
        Compression(Rc::new(Rules {
            preferred: preferred.collect(),
            levels: Levels::default(),
            from_bytes: COMPRESS_FROM_BYTES,
            encoders: None,
            is_worthwhile: Rc::new(Compression::is_worthwhile),
            spares: Rc::default(),
        }))
    }

    /// Offers `codings` alone, and of those that a peer wants alike the first.
    ///
    /// # Panics
    /// If there is no encoder for one of them: its feature is not enabled, or it is deflate.
    #[must_use]
    pub fn prefer(self, codings: impl IntoIterator<Item = ContentCoding>) -> Compression {
        let codings: Vec<ContentCoding> = codings.into_iter().collect();
        for &coding in &codings {
            assert!(
                can_encode(coding),
                "there is no encoder for {}: enable its feature",
                coding.name()
            );
        }
        self.with(|rules| rules.preferred = codings)
    }

    /// Has `coding` try harder, or less: from 1 to 9 for gzip (default: 5), 0 to 11 for brotli (4),
    /// 1 to 19 for zstd (3). From level 5 on a stream of brotli takes 10 MB.
    ///
    /// # Panics
    /// If there is no such level.
    #[must_use]
    pub fn level(self, coding: ContentCoding, level: u8) -> Compression {
        let range = Levels::range(coding);
        assert!(
            range.contains(&level),
            "the levels of {} are {range:?}",
            coding.name()
        );
        self.with(|rules| rules.levels.set(coding, level))
    }

    /// Compresses content of at least `bytes`. Default: [`COMPRESS_FROM_BYTES`].
    #[must_use]
    pub fn from_bytes(self, bytes: usize) -> Compression {
        self.with(|rules| rules.from_bytes = bytes)
    }

    /// Has at most so many encoders of its own at a time on each core, for responses that are compressed
    /// while they are sent; the others of that length are sent without a coding. Default:
    /// [`ENCODERS`](crate::limits::ENCODERS), together with all others on the core that are not told otherwise.
    #[must_use]
    pub fn encoders(self, encoders: usize) -> Compression {
        self.with(|rules| rules.encoders = Some(Permits::new(encoders)))
    }

    /// Compresses content of the media types for which `is_worthwhile` is true, instead of those of
    /// [`Compression::is_worthwhile`]. It gets the type without its parameters.
    ///
    /// ```
    /// use corelane::app::middleware::Compression;
    ///
    /// let compression = Compression::new().media_types(|media_type| {
    ///     media_type == "application/x-logs" || Compression::is_worthwhile(media_type)
    /// });
    /// ```
    #[must_use]
    pub fn media_types(self, is_worthwhile: impl Fn(&str) -> bool + 'static) -> Compression {
        self.with(|rules| rules.is_worthwhile = Rc::new(is_worthwhile))
    }

    /// Whether content of `media_type`, in any case and without parameters, becomes smaller by much:
    /// text, but for event streams, JSON, XML, JavaScript, WebAssembly, SVG, and images and fonts that
    /// are not compressed themselves. What is not known does not, nor does what has no type.
    pub fn is_worthwhile(media_type: &str) -> bool {
        is_compressible(media_type)
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Compression {
        let rules = Rc::make_mut(&mut self.0);
        change(rules);
        rules.spares = Rc::new(Spares::new(rules.levels));
        self
    }
}

impl Rules {
    /// Finishes the response to what was `asked`.
    fn apply(&self, asked: &Asked, response: &mut Response) -> Result<(), BodyError> {
        let choice = asked.codings.choose(&self.preferred);
        if response.status == StatusCode::NOT_MODIFIED {
            vary(&mut response.headers);
            if matches!(choice, CodingChoice::Coded(_)) {
                weaken_known(&mut response.headers, &asked.known_tags);
            }
            return Ok(());
        }
        if !may_be_coded(response) {
            return Ok(());
        }
        let is_worth_it = self.is_worth_it(response);
        if is_worth_it {
            vary(&mut response.headers);
        }
        let CodingChoice::Coded(coding) = choice else {
            return Ok(());
        };
        if !is_worth_it {
            if !asked.codings.refuses_identity() {
                return Ok(());
            }
            vary(&mut response.headers);
        }
        let body = std::mem::take(&mut response.body);
        response.body = match body {
            Body::Bytes(bytes) if bytes.len() <= CODING_SLICE_BYTES && !asked.is_head => {
                self.encode(coding, &bytes)?.into()
            }
            body => match asked.encoders.take() {
                Some(permit) => Encoded::new(body, self.spares.lend(coding, permit)).into_body(),
                None => {
                    response.body = body;
                    return Ok(());
                }
            },
        };
        let name = HeaderValue::from_static(coding.name());
        response.headers.insert(CONTENT_ENCODING, name);
        response.headers.remove(&ACCEPT_RANGES);
        if let Some(weak) = weak_tag(&response.headers) {
            response.headers.insert(ETAG, weak);
        }
        Ok(())
    }

    fn encode(&self, coding: ContentCoding, content: &Bytes) -> Result<Vec<u8>, BodyError> {
        let mut encoder = self.spares.take(coding)?;
        let mut output = Vec::with_capacity(content.len() / 2);
        encoder.encode(content, Step::Finish, &mut output)?;
        self.spares.give_back(coding, encoder);
        Ok(output)
    }

    fn is_worth_it(&self, response: &Response) -> bool {
        let length = response.body.length();
        if length.is_some_and(|length| length < self.from_bytes as u64) {
            return false;
        }
        let Some(media_type) = response.headers.get(&CONTENT_TYPE) else {
            return false;
        };
        let media_type = media_type.to_str().unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default();
        (self.is_worthwhile)(media_type.trim())
    }
}

/// Whether `response` has content, all of it, that nothing keeps from being coded.
fn may_be_coded(response: &Response) -> bool {
    let headers = &response.headers;
    let has_content = match response.status.as_u16() {
        // RFC 9110 §15.3.5, §15.3.6: no content; §15.3.7: a part of it.
        204..=206 => false,
        status => status >= 200 && !response.body.is_empty(),
    };
    let is_fixed = |name: &HeaderName| *name == CONTENT_ENCODING || *name == CONTENT_RANGE;
    has_content
        && !headers
            .iter()
            .any(|(name, _)| is_fixed(name) || DIGESTS.contains(name))
        && !has_member(headers, &CACHE_CONTROL, b"no-transform")
}

/// Says that the content was chosen by Accept-Encoding (RFC 9110 §12.5.5).
fn vary(headers: &mut Headers) {
    let accept_encoding = ACCEPT_ENCODING.as_str().as_bytes();
    if !has_member(headers, &VARY, accept_encoding) && !has_member(headers, &VARY, b"*") {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// The weak form of a strong ETag.
fn weak_tag(headers: &Headers) -> Option<HeaderValue> {
    let octets = headers.get(&ETAG)?.as_bytes();
    let is_strong = !octets.starts_with(b"W/");
    let weak = is_strong.then(|| HeaderValue::from_bytes(&[b"W/", octets].concat()));
    weak?.ok()
}

/// Makes the ETag of a 304 weak if that is in `known`. RFC 9110 §15.4.5 has it be that of the content, and
/// whether the content would be compressed is not known here: but the peer that has the weak tag was sent
/// compressed content.
fn weaken_known(headers: &mut Headers, known: &[HeaderValue]) {
    if let Some(weak) = weak_tag(headers)
        && known
            .iter()
            .any(|value| is_listed(value.as_bytes(), weak.as_bytes()))
    {
        headers.insert(ETAG, weak);
    }
}

fn has_member(headers: &Headers, name: &HeaderName, member: &[u8]) -> bool {
    let mut others = headers
        .get_all(name)
        .flat_map(|value| members(value.as_bytes()));
    others.any(|other| other.eq_ignore_ascii_case(member))
}

impl Default for Compression {
    fn default() -> Compression {
        Compression::new()
    }
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression")
            .field("preferred", &self.0.preferred)
            .field("levels", &self.0.levels)
            .field("from_bytes", &self.0.from_bytes)
            .field("encoders", &self.0.encoders)
            .finish_non_exhaustive()
    }
}

impl Middleware for Compression {
    fn call(&self, request: Request, next: Next) -> Answer {
        let head = request.head();
        let known = head.field_values(IF_NONE_MATCH.as_str());
        let asked = Asked {
            codings: AcceptedCodings::of(head.field_values(ACCEPT_ENCODING.as_str())),
            is_head: request.method() == Method::HEAD,
            encoders: match &self.0.encoders {
                Some(own) => own.clone(),
                None => Coders::of(&request).encoders.clone(),
            },
            known_tags: known
                .filter_map(|tags| HeaderValue::from_bytes(tags).ok())
                .collect(),
        };
        let rules = Rc::clone(&self.0);
        Answer::pending(async move {
            let mut response = next.run(request).await;
            rules.apply(&asked, &mut response)?;
            Ok::<_, crate::app::Error>(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_of_the_program_are_told_at_once() {
        for (coding, level) in [
            (ContentCoding::Gzip, 0),
            (ContentCoding::Gzip, 10),
            (ContentCoding::Brotli, 12),
            (ContentCoding::Zstd, 20),
        ] {
            let set = || Compression::new().level(coding, level);
            assert!(std::panic::catch_unwind(set).is_err(), "{coding:?} {level}");
        }
        let deflate = || Compression::new().prefer([ContentCoding::Deflate]);
        assert!(std::panic::catch_unwind(deflate).is_err());
    }
}
