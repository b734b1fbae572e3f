//! Static files: serving a folder.
//!
//! Pure are what a folder is served by (`policy`, with `glob`, `media`, `header_rules`, `redirects` and
//! `error_pages`), what its paths mean (`path`), what becomes of them (`decision`), what is served in place of
//! a file (`variants`), what tells versions of a file apart (`version`), how a folder is listed (`entries`,
//! `listing`), and what archives are made of (`tar`); what a core remembers of files (`cache`), with what else
//! its folders have in common (`common`), does no I/O either.
//!
//! I/O is done by `root` and `resolve`, which open; by `transfer` and `tags`, which read files, `parts`, which sends
//! of them what responses are made of, and `folder`, which reads folders, for `listed` and `archive`, whose
//! responses are made piece by piece (`pieces`); by `compressed`, which compresses files and listings, in turns; by `answer`,
//! which makes a response of what was read of a file. `sending` puts that together for one file, with what is kept
//! of it (`remembering`), `refusal` where there is none, and `service` all of it for what is asked for below a
//! mount; `named` sends the files that handlers name. On the way `facts` are noted, for which `explain` has the
//! words.

mod answer;
mod archive;
pub(crate) mod cache;
pub(crate) mod common;
#[cfg_attr(not(feature = "compression"), path = "compressed/none.rs")]
pub(crate) mod compressed;
pub mod decision;
mod entries;
pub mod error_pages;
pub(crate) mod explain;
mod facts;
mod folder;
pub mod glob;
pub mod header_rules;
mod joint;
mod listed;
mod listing;
pub mod media;
mod named;
mod pages;
mod parts;
pub mod path;
mod pieces;
pub mod policy;
pub mod redirects;
mod refusal;
mod remembering;
mod replica;
mod representation;
mod resolve;
mod root;
mod sending;
mod service;
mod tags;
mod tar;
mod transfer;
pub mod variants;
pub mod version;

pub use self::policy::Policy;
pub use self::service::Files;
