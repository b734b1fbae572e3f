//! The table of requirements names tests that exist, and leaves no requirement without one or a
//! reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Why a requirement may be without a test: the first column of the legend.
fn reasons(text: &str) -> Vec<&str> {
    let legend = text.split("|---|---|\n").nth(1).unwrap_or_default();
    let lines = legend.lines().take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split('|').nth(1).map(str::trim))
        .collect()
}

struct Row<'a> {
    section: &'a str,
    requirement: &'a str,
    keyword: &'a str,
    held_by: &'a str,
}

/// The rows of the tables of requirements: those that begin with the number of a section.
fn rows(text: &str) -> Vec<Row<'_>> {
    let lines = text.lines().filter(|line| {
        let cell = line.strip_prefix("| ").unwrap_or_default();
        cell.starts_with(|first: char| first.is_ascii_digit())
    });
    let rows = lines.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [section, requirement, keyword, held_by] = cells[..] else {
            panic!("not four columns: {line}");
        };
        Row {
            section,
            requirement,
            keyword,
            held_by,
        }
    });
    rows.collect()
}

/// What stands between backticks and looks like a function: `module::function`.
fn named_tests(cell: &str) -> impl Iterator<Item = &str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.contains("::"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the package") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every test of the package as `::folder::file::function`, without `tests`, `main` and `mod`.
fn tests() -> BTreeSet<String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&package.join("src"), &mut files);
    rust_files(&package.join("tests"), &mut files);
    let mut tests = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        let place = file.strip_prefix(package).expect("a file of the package");
        let modules: String = place
            .with_extension("")
            .iter()
            .filter_map(|part| part.to_str())
            .filter(|part| !matches!(*part, "src" | "tests" | "main" | "mod"))
            .map(|part| format!("::{part}"))
            .collect();
        for after in text.split("#[test]\n").skip(1) {
            let after = after.trim_start();
            let name = after
                .strip_prefix("fn ")
                .and_then(|rest| rest.split('(').next());
            tests.extend(name.map(|name| format!("{modules}::{name}")));
        }
    }
    tests
}

#[test]
fn every_requirement_is_held_by_a_test_that_exists_or_has_a_reason() {
    let text = include_str!("../src/http/CONFORMANCE.md");
    let (rows, reasons) = (rows(text), reasons(text));
    assert!(reasons.contains(&"client") && reasons.len() < 20);
    let tests = tests();
    assert!(rows.len() > 250, "only {} rows were found", rows.len());
    let mut faults = Vec::new();
    for row in &rows {
        let what = format!("{} {}", row.section, row.requirement);
        if !["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED"].contains(&row.keyword) {
            faults.push(format!("{what}: the keyword is {:?}", row.keyword));
        }
        let named: Vec<_> = named_tests(row.held_by).collect();
        for name in &named {
            let end = format!("::{name}");
            if !tests.iter().any(|test| test.ends_with(&end)) {
                faults.push(format!("{what}: there is no test {name}"));
            }
        }
        let has_reason = reasons.iter().any(|reason| row.held_by.starts_with(reason));
        if named.is_empty() && !has_reason {
            faults.push(format!("{what}: neither test nor reason"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
