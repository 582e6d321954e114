//! What the documents claim, held: of tests, of each other, and of the program.
#![expect(clippy::unwrap_used, reason = "a test that can't read the sources must fail")]

mod examples;
mod links;
mod names;
mod pages;
mod values;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each row of the contract (Kubernetes has no list of its own; these are the ones that callers depend on) stands in
/// the table once, with at least one test, and every test it names is there.
#[test]
fn each_row_of_the_contract_names_its_tests() {
    let document = fs::read_to_string("docs/api-server.md").unwrap();
    let tests = tests();
    let mut numbers = Vec::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Some(number) = cells.first().and_then(|cell| cell.parse::<u32>().ok()) else { continue };
        numbers.push(number);
        holds_tests(line, &tests);
    }
    assert_eq!(numbers, (1..=ROWS).collect::<Vec<_>>());
}

/// Every crate that the program names has been reviewed, and no other is said to be.
#[test]
fn every_dependency_is_reviewed() {
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let (_, section) = manifest.split_once("\n[dependencies]\n").unwrap();
    let section = section.split("\n[").next().unwrap();
    let real: BTreeSet<_> =
        section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    let document = fs::read_to_string("docs/dependencies.md").unwrap();
    let rows =
        document.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let reviewed: Vec<_> = rows.flat_map(pages::spans).collect();
    assert_eq!(reviewed.iter().copied().collect::<BTreeSet<_>>(), real);
    assert_eq!(reviewed.len(), real.len(), "a crate stands there twice");
}

/// Each threat names the tests that play it, and they are there.
#[test]
fn each_threat_names_its_tests() {
    let document = fs::read_to_string("docs/security.md").unwrap();
    let table = document.split("## Threats, each with its tests").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let tests = tests();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| **")).collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for row in rows {
        holds_tests(row, &tests);
    }
}

/// The last cell of a table's row names tests, and each of them is there.
fn holds_tests(row: &str, tests: &BTreeSet<String>) {
    let named: Vec<&str> = row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2).collect();
    assert!(!named.is_empty(), "no test: {row}");
    for name in named {
        assert!(tests.contains(name), "{name} is no test: {row}");
    }
}

/// The names of all functions in the tests, and of the modules' own tests.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(Path::new("src"), &mut names);
    collect(Path::new("tests"), &mut names);
    names
}

fn collect(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            names.extend(after(&fs::read_to_string(&path).unwrap(), "#[test]", "fn "));
            names.extend(after(&fs::read_to_string(&path).unwrap(), "#[tokio::test", "fn "));
        } else if path.to_string_lossy().ends_with("_test.go") {
            names.extend(after(&fs::read_to_string(&path).unwrap(), "\nfunc Test", "func "));
        }
    }
}

/// The names that follow `keyword`, each the next one after a `mark`.
fn after(text: &str, mark: &str, keyword: &str) -> Vec<String> {
    let starts = text.match_indices(mark).filter_map(|(at, _)| text[at..].split_once(keyword));
    starts.filter_map(|(_, rest)| rest.split_once('(')).map(|(name, _)| name.to_owned()).collect()
}

const ROWS: u32 = 35;
