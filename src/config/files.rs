//! How files are served, as it is written: `[files]` in a file, and the options of `serve`; and the
//! [`Policy`] that it proves to be.

mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::CString;

use http::HeaderValue;
use serde::Deserialize;
use toml::Spanned;

use super::raw::{File, Switch, Text, Texts, Written};
use super::{Mistake, prove, size};
use crate::failure::Failure;
use crate::files::error_pages::ErrorPages;
use crate::files::glob::Glob;
use crate::files::header_rules::HeaderRules;
use crate::files::policy::Policy;
use crate::files::redirects::Redirects;

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
    /// `response_headers = "GLOB=NAME: VALUE"` or a list of them; `--response-header`.
    pub response_headers: Option<Vec<Written>>,
    /// `redirects = "FROM=TO STATUS"` or a list of them; `--redirect`.
    pub redirects: Option<Vec<Written>>,
    /// `error_pages = "STATUS=/PATH"` or a list of them; `--error-page`.
    pub error_pages: Option<Vec<Written>>,
    /// `media_types = "EXTENSION=TYPE"` or a list of them; `--media-type`.
    pub media_types: Option<Vec<Written>>,
    /// `precompressed = "zst,br,gz"`; `--precompressed`.
    pub precompressed: Option<Written>,
    /// `compress = "zstd,br:6"`; `--compress`.
    pub compress: Option<Written>,
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
    /// `sendfile = true`; `--sendfile`.
    pub sendfile: Option<bool>,
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
    response_headers: Option<Spanned<Texts>>,
    redirects: Option<Spanned<Texts>>,
    error_pages: Option<Spanned<Texts>>,
    media_types: Option<Spanned<Texts>>,
    precompressed: Option<Spanned<String>>,
    compress: Option<Spanned<String>>,
    index: Option<Spanned<Texts>>,
    clean_urls: Option<bool>,
    fallback: Option<Spanned<String>>,
    listing: Option<Spanned<Switch>>,
    tar: Option<bool>,
    sendfile: Option<bool>,
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
            response_headers: all("response_headers", self.response_headers),
            redirects: all("redirects", self.redirects),
            error_pages: all("error_pages", self.error_pages),
            media_types: all("media_types", self.media_types),
            precompressed: one("precompressed", self.precompressed),
            compress: one("compress", self.compress),
            index: all("index", self.index),
            clean_urls: self.clean_urls,
            fallback: one("fallback", self.fallback),
            listing: self
                .listing
                .map(|switch| file.written("files.listing", switch)),
            tar: self.tar,
            sendfile: self.sendfile,
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
            response_headers: over.response_headers.or(self.response_headers),
            redirects: over.redirects.or(self.redirects),
            error_pages: over.error_pages.or(self.error_pages),
            media_types: over.media_types.or(self.media_types),
            precompressed: over.precompressed.or(self.precompressed),
            compress: over.compress.or(self.compress),
            index: over.index.or(self.index),
            clean_urls: over.clean_urls.or(self.clean_urls),
            fallback: over.fallback.or(self.fallback),
            listing: over.listing.or(self.listing),
            tar: over.tar.or(self.tar),
            sendfile: over.sendfile.or(self.sendfile),
            cache: over.cache.or(self.cache),
        }
    }

    /// The policy; what is wrong is added to `faults`.
    pub(super) fn prove(&self, faults: &mut Vec<Failure>) -> Policy {
        let default = Policy::default();
        let policy = Policy {
            symlinks: prove(self.symlinks.as_ref(), faults, values::symlinks)
                .unwrap_or(default.symlinks),
            dot_files: prove(self.dot_files.as_ref(), faults, values::dot_files)
                .unwrap_or(default.dot_files),
            hide: list(&self.hide, faults, values::glob),
            entity_tags: prove(self.etag.as_ref(), faults, values::etag)
                .unwrap_or(default.entity_tags),
            cache_control: cache_control(&self.cache_control, faults),
            response_headers: header_rules(&self.response_headers, faults),
            redirects: redirects(&self.redirects, faults),
            error_pages: error_pages(&self.error_pages, faults),
            media_types: media_types(&self.media_types, faults),
            precompressed: prove(self.precompressed.as_ref(), faults, values::precompressed)
                .unwrap_or(default.precompressed),
            compress: prove(self.compress.as_ref(), faults, values::compress)
                .unwrap_or(default.compress),
            compression_wait: default.compression_wait,
            index: match &self.index {
                Some(written) => index(written, faults),
                None => default.index,
            },
            clean_urls: self.clean_urls.unwrap_or(default.clean_urls),
            fallback: prove(self.fallback.as_ref(), faults, values::fallback),
            listing: prove(self.listing.as_ref(), faults, values::switch)
                .unwrap_or(default.listing),
            tar: self.tar.unwrap_or(default.tar),
            sendfile: self.sendfile.unwrap_or(default.sendfile),
            cache_bytes: prove(self.cache.as_ref(), faults, size::parse)
                .unwrap_or(default.cache_bytes),
        };
        if let (Some(written), 0, false) = (
            &self.compress,
            policy.cache_bytes,
            policy.compress.is_empty(),
        ) {
            let what = "there is no memory for files, and what is made of them could not be kept";
            let mend = "give the memory for files (--file-cache) a size, or write off";
            faults.push(written.fault(Mistake::new(what, mend)));
        }
        policy
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

/// The rules, of which the first that matches counts.
fn cache_control(
    written: &Option<Vec<Written>>,
    faults: &mut Vec<Failure>,
) -> Vec<(Glob, HeaderValue)> {
    let mut rules: Vec<(Glob, HeaderValue)> = Vec::new();
    for written in written.iter().flatten() {
        let Some((glob, value)) = prove(Some(written), faults, values::cache_control) else {
            continue;
        };
        match rules.iter().find(|(before, _)| before.includes(&glob)) {
            Some((by, _)) => {
                faults.push(written.fault(values::covered_mistake(&written.text, by)));
            }
            None => rules.push((glob, value)),
        }
    }
    rules
}

fn media_types(
    written: &Option<Vec<Written>>,
    faults: &mut Vec<Failure>,
) -> BTreeMap<Box<str>, HeaderValue> {
    let mut types = BTreeMap::new();
    for written in written.iter().flatten() {
        if let Some((name, value)) = prove(Some(written), faults, values::media_type)
            && types.insert(name, value).is_some()
        {
            faults.push(written.fault(values::typed_mistake(&written.text)));
        }
    }
    types
}

/// The names, in order, each once.
fn index(written: &[Written], faults: &mut Vec<Failure>) -> Vec<CString> {
    let mut names = Vec::new();
    for written in written {
        for name in prove(Some(written), faults, values::index).unwrap_or_default() {
            match names.contains(&name) {
                true => faults.push(written.fault(values::index_mistake(&written.text))),
                false => names.push(name),
            }
        }
    }
    names
}

fn header_rules(written: &Option<Vec<Written>>, faults: &mut Vec<Failure>) -> HeaderRules {
    let mut rules = HeaderRules::default();
    for written in written.iter().flatten() {
        if let Err(error) = rules.add(&written.text) {
            faults.push(written.fault(values::header_mistake(&written.text, error)));
        }
    }
    rules
}

fn error_pages(written: &Option<Vec<Written>>, faults: &mut Vec<Failure>) -> ErrorPages {
    let mut pages = ErrorPages::default();
    for written in written.iter().flatten() {
        if let Err(error) = pages.add(&written.text) {
            faults.push(written.fault(values::error_page_mistake(&written.text, error)));
        }
    }
    pages
}

/// The redirects; all that are none are told, and of conflicts between the others the first.
fn redirects(written: &Option<Vec<Written>>, faults: &mut Vec<Failure>) -> Redirects {
    let (mut rules, mut places) = (Vec::new(), Vec::new());
    for written in written.iter().flatten() {
        if let Some(rule) = prove(Some(written), faults, values::redirect) {
            rules.push(rule);
            places.push(written);
        }
    }
    match Redirects::new(rules) {
        Ok(redirects) => redirects,
        Err(error) => {
            let written = places[error.place];
            let others = |place: usize| &*places[place].text;
            let mistake = values::redirect_conflict(&written.text, error.why, others);
            faults.push(written.fault(mistake));
            Redirects::default()
        }
    }
}
