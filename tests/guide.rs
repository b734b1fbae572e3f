//! The table of what aiohttp's server side is called here has all of it, and an answer in each row.
//! That what it links to exists is rustdoc's to find.

mod support;

use std::collections::BTreeSet;
use std::process::Command;
use support::outside;

const PAGE: &str = include_str!("../src/guide/aiohttp.md");

/// The names that aiohttp's users see: those of the module, and the attributes of its main classes.
const NAMES: &str = "
from aiohttp import web
names = {name for name in web.__all__ if not name.startswith('HTTP')}
for kind in [web.Application, web.Request, web.StreamResponse, web.Response, web.FileResponse,
             web.WebSocketResponse, web.UrlDispatcher, web.View, web.UrlMappingMatchInfo,
             web.Resource, web.StaticResource, web.AbstractRoute, web.RouteTableDef, web.AppRunner,
             web.BaseSite, web.Server, web.FileField]:
    names.update(name for name in dir(kind) if not name.startswith('_'))
print('\\n'.join(sorted(names)))
";

/// The cells of each row, without the headings.
fn rows() -> Vec<Vec<String>> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| "));
    let cells = |row: &str| {
        // An escaped bar is a part of its cell.
        let row = row.replace("\\|", "\u{1}");
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    rows.map(cells)
        .filter(|cells| cells[0] != "aiohttp")
        .collect()
}

#[test]
fn each_row_has_a_name_or_a_reason() {
    let rows = rows();
    assert!(rows.len() > 80);
    for cells in rows {
        assert_eq!(cells.len(), 3, "{cells:?}");
        let reason = cells[1].strip_prefix("— ");
        let has_name = cells[1].contains("](crate::");
        assert!(
            has_name || reason.is_some_and(|why| why.len() > 10),
            "{cells:?}"
        );
    }
}

#[test]
fn each_name_of_aiohttp_has_a_row() {
    let requirements = include_str!("examples/requirements.txt");
    let Some(python) = outside::python("aiohttp", requirements) else {
        return;
    };
    let names = outside::run(Command::new(python).args(["-c", NAMES]));
    let rows = rows();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = rows
        .iter()
        .flat_map(|cells| cells[0].split(|c| !is_word(c)));
    let words: BTreeSet<_> = words.collect();
    let missing: Vec<_> = names.lines().filter(|name| !words.contains(name)).collect();
    assert!(names.lines().count() > 200);
    assert!(missing.is_empty(), "{missing:?}");
}
