//! The values of `[files]`, each understood by itself.

use std::ffi::CString;

use http::HeaderValue;

use crate::config::Mistake;
use crate::files::compressed;
use crate::files::error_pages::ErrorPageError;
use crate::files::glob::Glob;
use crate::files::header_rules::HeaderRuleError;
use crate::files::path::{self, Located};
use crate::files::policy::{EntityTags, Symlinks};
use crate::files::redirects::{Conflict, RedirectError, RedirectRule};
use crate::files::variants;
use crate::http::ContentCoding;

pub(super) fn symlinks(text: &str) -> Result<Symlinks, Mistake> {
    match text {
        "never" => Ok(Symlinks::Never),
        "beneath" => Ok(Symlinks::Beneath),
        "any" => Ok(Symlinks::Any),
        _ => Err(Mistake::new(
            format!("'{text}' does not say which symbolic links are followed"),
            "write never, beneath or any",
        )),
    }
}

pub(super) fn dot_files(text: &str) -> Result<bool, Mistake> {
    match text {
        "hide" => Ok(false),
        "serve" => Ok(true),
        _ => Err(Mistake::new(
            format!("'{text}' does not say what becomes of dot-files"),
            "write hide or serve",
        )),
    }
}

/// `NAME,NAME`.
pub(super) fn index(text: &str) -> Result<Vec<CString>, Mistake> {
    let parse = |name: &str| match CString::new(name) {
        Ok(parsed) if path::is_name(name.as_bytes()) => Ok(parsed),
        _ => Err(Mistake::new(
            format!("'{name}' cannot be the name of a file"),
            "write names without slashes, such as index.html,index.htm",
        )),
    };
    text.split(',').map(|name| parse(name.trim())).collect()
}

/// A path as it is requested.
pub(super) fn fallback(text: &str) -> Result<CString, Mistake> {
    match path::locate(text.as_bytes()) {
        Ok(Located::File { relative }) => Ok(relative),
        _ => Err(Mistake::new(
            format!("'{text}' is not the path of a file below the folder"),
            "write it as it is requested, such as /index.html",
        )),
    }
}

pub(super) fn switch(text: &str) -> Result<bool, Mistake> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Mistake::new(
            format!("'{text}' is neither on nor off"),
            "write on or off",
        )),
    }
}

pub(super) fn etag(text: &str) -> Result<EntityTags, Mistake> {
    match text {
        "mtime" => Ok(EntityTags::Mtime),
        "hash" => Ok(EntityTags::Hash),
        _ => Err(Mistake::new(
            format!("'{text}' is nothing that entity tags are made of"),
            "write mtime or hash",
        )),
    }
}

/// Suffixes in order, each once, or `off`.
pub(super) fn precompressed(text: &str) -> Result<Vec<ContentCoding>, Mistake> {
    if text == "off" {
        return Ok(Vec::new());
    }
    let mistake = || {
        Mistake::new(
            format!("'{text}' does not say which compressed files are served"),
            "write off, or some of zst, br and gz with commas between them",
        )
    };
    let mut codings = Vec::new();
    for suffix in text.split(',').map(str::trim) {
        let coding = variants::coding_of(suffix).ok_or_else(mistake)?;
        if codings.contains(&coding) {
            return Err(mistake());
        }
        codings.push(coding);
    }
    Ok(codings)
}

/// `CODING[:LEVEL]` in order, each once; or `on`, or `off`.
pub(super) fn compress(text: &str) -> Result<Vec<(ContentCoding, u8)>, Mistake> {
    /// What is made small at the default levels, the smallest first.
    const ALL: [ContentCoding; 3] = [
        ContentCoding::Zstd,
        ContentCoding::Brotli,
        ContentCoding::Gzip,
    ];
    if text == "off" {
        return Ok(Vec::new());
    }
    let has_any = ALL
        .into_iter()
        .any(|coding| compressed::levels(coding).is_some());
    if !has_any {
        return Err(Mistake::new(
            "this program was built without encoders".to_owned(),
            "write off, or build it with the feature compression",
        ));
    }
    let with_level = |coding| Some((coding, compressed::levels(coding)?.1));
    if text == "on" {
        return Ok(ALL.into_iter().filter_map(with_level).collect());
    }
    let mut codings: Vec<(ContentCoding, u8)> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (name, level) = match part.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (part, None),
        };
        let coding = ALL.into_iter().find(|coding| coding.name() == name);
        let is_new = |coding: &ContentCoding| codings.iter().all(|(other, _)| other != coding);
        let (coding, (range, default)) = coding
            .filter(is_new)
            .and_then(|coding| Some((coding, compressed::levels(coding)?)))
            .ok_or_else(|| {
                Mistake::new(
                    format!("'{text}' does not say in what files are compressed"),
                    "write on, off, or some of zstd, br and gzip with commas between them",
                )
            })?;
        let level = match level {
            Some(level) => level.parse().ok().filter(|level| range.contains(level)),
            None => Some(default),
        };
        let level = level.ok_or_else(|| {
            let (first, last) = range.into_inner();
            Mistake::new(
                format!("'{part}' has no level of {name} for files that are asked for"),
                format!(
                    "write one from {first} to {last}, such as {name}:{default}; what is to be smaller \
                     is compressed beforehand, and served as a neighbour (--precompressed)"
                ),
            )
        })?;
        codings.push((coding, level));
    }
    Ok(codings)
}

pub(super) fn glob(text: &str) -> Result<Glob, Mistake> {
    text.parse().map_err(|error| {
        Mistake::new(
            format!("the glob '{text}' {error}"),
            "write one such as *.bak, /private or /assets/**",
        )
    })
}

/// `GLOB=VALUE`. A glob has no `=`, but a value may.
pub(super) fn cache_control(text: &str) -> Result<(Glob, HeaderValue), Mistake> {
    let (glob, value) = text.split_once('=').ok_or_else(|| {
        Mistake::new(
            format!("'{text}' has no ="),
            "write GLOB=VALUE, such as *.css=max-age=3600",
        )
    })?;
    Ok((self::glob(glob)?, field_value(value)?))
}

/// What to do with a rule that another leaves nothing for.
const BEFORE_WIDER: &str = "leave it out, or write what is particular before what is general";

/// What is wrong with a value of Cache-Control for what another rule, of the files `by`, has one for.
pub(super) fn covered_mistake(text: &str, by: &Glob) -> Mistake {
    let what = format!(
        "'{text}' is never met: {} has a value for all of these files before it",
        by.as_str()
    );
    Mistake::new(what, BEFORE_WIDER)
}

/// What is wrong with a media type for what has one.
pub(super) fn typed_mistake(text: &str) -> Mistake {
    let what = format!("'{text}' gives a media type to what has one");
    Mistake::new(what, "keep one of them")
}

/// What is wrong with the name of an index that is named before.
pub(super) fn index_mistake(text: &str) -> Mistake {
    let what = format!("'{text}' names a file that is named before");
    Mistake::new(what, "name it once")
}

/// `EXTENSION=TYPE`, `NAME=TYPE`, or `*=TYPE`.
pub(super) fn media_type(text: &str) -> Result<(Box<str>, HeaderValue), Mistake> {
    let mistake = || {
        Mistake::new(
            format!("'{text}' gives no extension a media type"),
            "write EXTENSION=TYPE, such as md=text/plain;charset=utf-8, a name without a dot, such as \
             Makefile=text/plain, or *=TYPE for what has no other",
        )
    };
    let (extension, media_type) = text.split_once('=').ok_or_else(mistake)?;
    let extension = extension.strip_prefix('.').unwrap_or(extension);
    let is_name = |c: char| c.is_ascii_graphic() && c != '/' && c != '.';
    let has_slash = media_type.find('/').is_some_and(|slash| slash > 0);
    if extension.is_empty() || !extension.chars().all(is_name) || !has_slash {
        return Err(mistake());
    }
    let value = field_value(media_type)?;
    Ok((extension.to_ascii_lowercase().into(), value))
}

fn field_value(text: &str) -> Result<HeaderValue, Mistake> {
    let is_padded = text.trim_matches([' ', '\t']).len() != text.len();
    match HeaderValue::from_str(text) {
        Ok(value) if !is_padded && !text.is_empty() && text.is_ascii() => Ok(value),
        _ => Err(Mistake::new(
            format!("'{text}' cannot be the value of a field"),
            "write visible ASCII without spaces around it",
        )),
    }
}

/// What is wrong with a rule for a field.
pub(super) fn header_mistake(text: &str, error: HeaderRuleError) -> Mistake {
    let mend = match &error {
        HeaderRuleError::Glob(_) => "write one such as *.html, /about.html or /assets/**",
        HeaderRuleError::Reserved { instead, .. } => instead,
        HeaderRuleError::Twice { .. } => {
            "leave one out, or write both values into one, with a comma between them"
        }
        HeaderRuleError::Covered { .. } => BEFORE_WIDER,
        HeaderRuleError::TooLong => "write a shorter one",
        HeaderRuleError::TooMany => "give fields to more files with one glob",
        _ => "write GLOB=NAME: VALUE, such as *.html=X-Frame-Options: DENY",
    };
    Mistake::new(format!("'{text}' {error}"), mend)
}

pub(super) fn redirect(text: &str) -> Result<RedirectRule, Mistake> {
    text.parse().map_err(|error| {
        let mend = match error {
            RedirectError::Form => "write FROM=TO, such as /old=/new or '/old/*=/new/* 301'",
            RedirectError::From => "write a path as it is requested, such as /old or /old/*",
            RedirectError::To => {
                "write a path as it is requested, or a URL, such as https://example.org/new"
            }
            RedirectError::Star => "end FROM with /*, and TO as well if the rest goes there",
            RedirectError::Status => "write 301, 302, 307 or 308 at the end, or nothing for 302",
            RedirectError::TooLong => "write a shorter one",
        };
        Mistake::new(format!("'{text}' {error}"), mend)
    })
}

/// What is wrong with a redirect beside others, whose texts `others` has by their places.
pub(super) fn redirect_conflict<'a>(
    text: &str,
    conflict: Conflict,
    others: impl Fn(usize) -> &'a str,
) -> Mistake {
    let (other, mend) = match conflict {
        Conflict::Twice { with } => (Some((with, ",")), "keep one of them"),
        Conflict::Loop { by } => (
            Some((by, " by way of")),
            "have one on the way lead elsewhere",
        ),
        Conflict::FolderLoop { by } => (
            Some((by, " by way of")),
            "a folder is sent to its path with a slash: have one lead to a file, such as /docs.html",
        ),
        Conflict::TooMany => (
            None,
            "redirect more paths with one rule, such as /old/*=/new/*",
        ),
    };
    let other = other.map(|(place, how)| (others(place), how));
    let other = match other {
        Some((other, how)) if other != text => format!("{how} '{other}'"),
        _ => String::new(),
    };
    Mistake::new(format!("'{text}' {conflict}{other}"), mend)
}

/// What is wrong with the page of an error.
pub(super) fn error_page_mistake(text: &str, error: ErrorPageError) -> Mistake {
    let mend = match error {
        ErrorPageError::Form => "write one such as 404=/404.html",
        ErrorPageError::Status => "write 400, 404, 500 or 503",
        ErrorPageError::Path => "write the path as it is requested, such as /404.html",
        ErrorPageError::Twice => "keep one of them",
    };
    Mistake::new(format!("'{text}' {error}"), mend)
}
