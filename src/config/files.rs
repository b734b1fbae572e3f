//! How files are served, as it is written: `[files]` in a file, and the options of `serve`; and the
//! [`Policy`] that it proves to be.

use std::ffi::CString;

use http::HeaderValue;
use serde::Deserialize;
use toml::Spanned;

use super::raw::{File, Switch, Text, Texts, Written};
use super::{Mistake, prove, size};
use crate::failure::Failure;
use crate::files::glob::Glob;
use crate::files::path::{self, Located};
use crate::files::policy::{EntityTags, Policy, Symlinks};
use crate::files::variants;
use crate::http::ContentCoding;

/// What was written of it; `None` is what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFiles {
    /// `symlinks = "beneath"`; `--symlinks`.
    pub symlinks: Option<Written>,
    /// `dot_files = "hide"`; `--dot-files`.
    pub dot_files: Option<Written>,
    /// `hide = "GLOB"` or a list of them; `--hide`.
    pub hide: Option<Vec<Written>>,
    /// `etag = "mtime"`; `--etag`.
    pub etag: Option<Written>,
    /// `cache_control = "GLOB=VALUE"` or a list of them; `--cache-control`.
    pub cache_control: Option<Vec<Written>>,
    /// `media_types = "EXTENSION=TYPE"` or a list of them; `--media-type`.
    pub media_types: Option<Vec<Written>>,
    /// `precompressed = "zst,br,gz"`; `--precompressed`.
    pub precompressed: Option<Written>,
    /// `index = "NAME,NAME"` or a list of such; `--index`.
    pub index: Option<Vec<Written>>,
    /// `clean_urls = true`; `--clean-urls`.
    pub clean_urls: Option<bool>,
    /// `fallback = "/PATH"`; `--fallback`.
    pub fallback: Option<Written>,
    /// `listing = true`, which is the text `on`; `--listing`.
    pub listing: Option<Written>,
    /// `tar = true`; `--tar`.
    pub tar: Option<bool>,
    /// `cache = "64MiB"`; `--file-cache`.
    pub cache: Option<Written>,
}

/// The grammar of `[files]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilesTable {
    symlinks: Option<Spanned<String>>,
    dot_files: Option<Spanned<String>>,
    hide: Option<Spanned<Texts>>,
    etag: Option<Spanned<String>>,
    cache_control: Option<Spanned<Texts>>,
    media_types: Option<Spanned<Texts>>,
    precompressed: Option<Spanned<String>>,
    index: Option<Spanned<Texts>>,
    clean_urls: Option<bool>,
    fallback: Option<Spanned<String>>,
    listing: Option<Spanned<Switch>>,
    tar: Option<bool>,
    cache: Option<Spanned<Text>>,
}

impl FilesTable {
    pub(super) fn written(self, file: &File<'_>) -> RawFiles {
        let one = |key: &str, text: Option<Spanned<String>>| {
            text.map(|text| file.written(&format!("files.{key}"), text))
        };
        let all = |key: &str, texts: Option<Spanned<Texts>>| {
            texts.map(|texts| file.all(&format!("files.{key}"), texts))
        };
        RawFiles {
            symlinks: one("symlinks", self.symlinks),
            dot_files: one("dot_files", self.dot_files),
            hide: all("hide", self.hide),
            etag: one("etag", self.etag),
            cache_control: all("cache_control", self.cache_control),
            media_types: all("media_types", self.media_types),
            precompressed: one("precompressed", self.precompressed),
            index: all("index", self.index),
            clean_urls: self.clean_urls,
            fallback: one("fallback", self.fallback),
            listing: self
                .listing
                .map(|switch| file.written("files.listing", switch)),
            tar: self.tar,
            cache: self.cache.map(|text| file.written("files.cache", text)),
        }
    }
}

impl RawFiles {
    /// Lays `over` over this, as [`RawConfig::overlaid_by`](super::raw::RawConfig::overlaid_by) does.
    #[must_use]
    pub fn overlaid_by(self, over: Self) -> Self {
        Self {
            symlinks: over.symlinks.or(self.symlinks),
            dot_files: over.dot_files.or(self.dot_files),
            hide: over.hide.or(self.hide),
            etag: over.etag.or(self.etag),
            cache_control: over.cache_control.or(self.cache_control),
            media_types: over.media_types.or(self.media_types),
            precompressed: over.precompressed.or(self.precompressed),
            index: over.index.or(self.index),
            clean_urls: over.clean_urls.or(self.clean_urls),
            fallback: over.fallback.or(self.fallback),
            listing: over.listing.or(self.listing),
            tar: over.tar.or(self.tar),
            cache: over.cache.or(self.cache),
        }
    }

    /// The policy; what is wrong is added to `faults`.
    pub(super) fn prove(&self, faults: &mut Vec<Failure>) -> Policy {
        let default = Policy::default();
        Policy {
            symlinks: prove(self.symlinks.as_ref(), faults, parse_symlinks)
                .unwrap_or(default.symlinks),
            dot_files: prove(self.dot_files.as_ref(), faults, parse_dot_files)
                .unwrap_or(default.dot_files),
            hide: list(&self.hide, faults, parse_glob),
            entity_tags: prove(self.etag.as_ref(), faults, parse_etag)
                .unwrap_or(default.entity_tags),
            cache_control: list(&self.cache_control, faults, parse_rule),
            media_types: list(&self.media_types, faults, parse_media_type)
                .into_iter()
                .collect(),
            precompressed: prove(self.precompressed.as_ref(), faults, parse_precompressed)
                .unwrap_or(default.precompressed),
            index: match &self.index {
                Some(_) => list(&self.index, faults, parse_index).concat(),
                None => default.index,
            },
            clean_urls: self.clean_urls.unwrap_or(default.clean_urls),
            fallback: prove(self.fallback.as_ref(), faults, parse_fallback),
            listing: prove(self.listing.as_ref(), faults, parse_switch).unwrap_or(default.listing),
            tar: self.tar.unwrap_or(default.tar),
            cache_bytes: prove(self.cache.as_ref(), faults, size::parse)
                .unwrap_or(default.cache_bytes),
        }
    }
}

fn list<T>(
    written: &Option<Vec<Written>>,
    faults: &mut Vec<Failure>,
    parse: impl Fn(&str) -> Result<T, Mistake>,
) -> Vec<T> {
    let written = written.iter().flatten();
    written
        .filter_map(|written| prove(Some(written), faults, &parse))
        .collect()
}

fn parse_symlinks(text: &str) -> Result<Symlinks, Mistake> {
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

fn parse_dot_files(text: &str) -> Result<bool, Mistake> {
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
fn parse_index(text: &str) -> Result<Vec<CString>, Mistake> {
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
fn parse_fallback(text: &str) -> Result<CString, Mistake> {
    match path::locate(text.as_bytes()) {
        Ok(Located::File { relative }) => Ok(relative),
        _ => Err(Mistake::new(
            format!("'{text}' is not the path of a file below the folder"),
            "write it as it is requested, such as /index.html",
        )),
    }
}

fn parse_switch(text: &str) -> Result<bool, Mistake> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Mistake::new(
            format!("'{text}' is neither on nor off"),
            "write on or off",
        )),
    }
}

fn parse_etag(text: &str) -> Result<EntityTags, Mistake> {
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
fn parse_precompressed(text: &str) -> Result<Vec<ContentCoding>, Mistake> {
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

fn parse_glob(text: &str) -> Result<Glob, Mistake> {
    text.parse().map_err(|error| {
        Mistake::new(
            format!("the glob '{text}' {error}"),
            "write one such as *.bak, /private or /assets/**",
        )
    })
}

/// `GLOB=VALUE`. A glob has no `=`, but a value may.
fn parse_rule(text: &str) -> Result<(Glob, HeaderValue), Mistake> {
    let (glob, value) = text.split_once('=').ok_or_else(|| {
        Mistake::new(
            format!("'{text}' has no ="),
            "write GLOB=VALUE, such as *.css=max-age=3600",
        )
    })?;
    Ok((parse_glob(glob)?, parse_value(value)?))
}

/// `EXTENSION=TYPE`.
fn parse_media_type(text: &str) -> Result<(Box<str>, HeaderValue), Mistake> {
    let mistake = || {
        Mistake::new(
            format!("'{text}' gives no extension a media type"),
            "write EXTENSION=TYPE, such as md=text/plain;charset=utf-8",
        )
    };
    let (extension, media_type) = text.split_once('=').ok_or_else(mistake)?;
    let extension = extension.strip_prefix('.').unwrap_or(extension);
    let is_name = |c: char| c.is_ascii_graphic() && c != '/' && c != '.';
    let has_slash = media_type.find('/').is_some_and(|slash| slash > 0);
    if extension.is_empty() || !extension.chars().all(is_name) || !has_slash {
        return Err(mistake());
    }
    let value = parse_value(media_type)?;
    Ok((extension.to_ascii_lowercase().into(), value))
}

fn parse_value(text: &str) -> Result<HeaderValue, Mistake> {
    let is_padded = text.trim_matches([' ', '\t']).len() != text.len();
    match HeaderValue::from_str(text) {
        Ok(value) if !is_padded && !text.is_empty() && text.is_ascii() => Ok(value),
        _ => Err(Mistake::new(
            format!("'{text}' cannot be the value of a field"),
            "write visible ASCII without spaces around it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::raw::RawConfig;
    use std::ffi::CStr;
    use std::path::Path;

    fn files(text: &str) -> Result<Policy, Vec<String>> {
        let shown = |failure: &Failure| failure.to_string();
        let raw = RawConfig::parse(Path::new("c.toml"), &format!("[files]\n{text}"))
            .map_err(|failure| vec![shown(&failure)])?;
        Config::try_from(raw)
            .map(|config| config.files)
            .map_err(|faults| faults.iter().map(shown).collect())
    }

    #[test]
    fn everything_written_is_taken() {
        assert_eq!(files(""), Ok(Policy::default()));
        let text = r#"
            symlinks = "never"
            dot_files = "serve"
            hide = ["*.bak", "/private"]
            etag = "hash"
            cache_control = ["/assets/**=public, max-age=31536000, immutable", "*.html=no-cache"]
            precompressed = "br, gz"
            index = ["index.html, index.htm", "default.htm"]
            clean_urls = true
            fallback = "/app/a%20b.html"
            listing = true
            tar = true
            cache = "1MiB"
            media_types = [".MD=text/plain", "log=text/plain;charset=utf-8"]
        "#;
        let value = HeaderValue::from_static;
        let glob = |text: &str| text.parse().unwrap();
        let expected = Policy {
            symlinks: Symlinks::Never,
            dot_files: true,
            hide: vec![glob("*.bak"), glob("/private")],
            entity_tags: EntityTags::Hash,
            cache_control: vec![
                (
                    glob("/assets/**"),
                    value("public, max-age=31536000, immutable"),
                ),
                (glob("*.html"), value("no-cache")),
            ],
            media_types: [
                ("md".into(), value("text/plain")),
                ("log".into(), value("text/plain;charset=utf-8")),
            ]
            .into(),
            precompressed: vec![ContentCoding::Brotli, ContentCoding::Gzip],
            index: [c"index.html", c"index.htm", c"default.htm"]
                .map(CStr::to_owned)
                .into(),
            clean_urls: true,
            fallback: Some(c"app/a b.html".to_owned()),
            listing: true,
            tar: true,
            cache_bytes: 1 << 20,
        };
        assert_eq!(files(text), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let table = [
            (
                "symlinks = 'some'",
                "c.toml:2:12: files.symlinks: 'some' does not say",
            ),
            ("dot_files = 'x'", "c.toml:2:13: files.dot_files: 'x' does"),
            ("etag = 'md5'", "c.toml:2:8: files.etag: 'md5' is nothing"),
            ("hide = '['", "c.toml:2:8: files.hide: the glob '[' has a"),
            (
                "cache_control = '*.css'",
                "c.toml:2:17: files.cache_control: '*.css' has no =",
            ),
            (
                "cache_control = '[=a'",
                "c.toml:2:17: files.cache_control: the glob '['",
            ),
            (
                "cache_control = 'a= b'",
                "c.toml:2:17: files.cache_control: ' b' cannot",
            ),
            (
                "cache_control = 'a='",
                "c.toml:2:17: files.cache_control: '' cannot",
            ),
            (
                "media_types = 'md'",
                "c.toml:2:15: files.media_types: 'md' gives",
            ),
            (
                "media_types = 'a.b=x/y'",
                "c.toml:2:15: files.media_types: 'a.b=x/y' gives",
            ),
            (
                "media_types = 'md=text'",
                "c.toml:2:15: files.media_types: 'md=text' gives",
            ),
            (
                "precompressed = 'gzip'",
                "c.toml:2:17: files.precompressed: 'gzip' does not say",
            ),
            (
                "precompressed = 'gz,br,gz'",
                "c.toml:2:17: files.precompressed: 'gz,br,gz' does not say",
            ),
            (
                "precompressed = ''",
                "c.toml:2:17: files.precompressed: '' does not say",
            ),
            (
                "index = 'a,b/c'",
                "c.toml:2:9: files.index: 'b/c' cannot be the name",
            ),
            ("index = ['']", "c.toml:2:10: files.index: '' cannot be"),
            ("index = '..'", "c.toml:2:9: files.index: '..' cannot be"),
            (
                "fallback = 'index.html'",
                "c.toml:2:12: files.fallback: 'index.html' is not the path",
            ),
            (
                "fallback = '/a/'",
                "c.toml:2:12: files.fallback: '/a/' is not the path",
            ),
            (
                "listing = 'on'",
                "c.toml:2:11: invalid type: string \"on\", expected a boolean",
            ),
            (
                "cache = '1MB'",
                "c.toml:2:9: files.cache: '1MB' is not a size",
            ),
            ("nothing = 1", "c.toml:2:1: unknown field `nothing`"),
        ];
        for (text, start) in table {
            let faults = files(text).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with(start), "{text}: {faults:?}");
        }
    }
}
