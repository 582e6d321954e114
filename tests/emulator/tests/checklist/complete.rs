//! Every id of the checklist is a test, or is left out with a reason in the README.

use std::collections::BTreeSet;

const SOURCES: [&str; 8] = [
    include_str!("auth.rs"),
    include_str!("authority.rs"),
    include_str!("batch.rs"),
    include_str!("limits.rs"),
    include_str!("record_lists.rs"),
    include_str!("records.rs"),
    include_str!("resolver.rs"),
    include_str!("transport.rs"),
];
const ZONES: &str = include_str!("zones.rs");
const README: &str = include_str!("../../README.md");

/// The ids there are, as first and last of each group.
const GROUPS: [(char, u32, u32); 7] =
    [('e', 1, 8), ('e', 10, 25), ('e', 30, 39), ('e', 40, 62), ('e', 70, 76), ('e', 80, 84), ('d', 1, 14)];

#[test]
fn every_id_is_a_test_or_left_out_with_a_reason() {
    let ids: BTreeSet<String> = GROUPS
        .iter()
        .flat_map(|(letter, first, last)| (*first..=*last).map(move |number| format!("{letter}{number:02}")))
        .collect();
    let tested: BTreeSet<String> = SOURCES.iter().chain([&ZONES]).flat_map(|source| tests(source)).collect();
    // `| E00 | reason |`
    let left_out: BTreeSet<String> = README
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let (id, reason) = (cells.next()?.to_lowercase(), cells.next()?);
            (ids.contains(&id) && reason.trim_matches([' ', '|']).len() > 10).then_some(id)
        })
        .collect();
    let unknown: Vec<_> = tested.difference(&ids).collect();
    assert!(unknown.is_empty(), "not in the checklist: {unknown:?}");
    let both: Vec<_> = tested.intersection(&left_out).collect();
    assert!(both.is_empty(), "tested and yet left out: {both:?}");
    let forgotten: Vec<_> =
        ids.iter().filter(|id| !tested.contains(*id) && !left_out.contains(*id)).collect();
    assert!(forgotten.is_empty(), "neither tested nor left out: {forgotten:?}");
}

/// The ids that tests of a source are named after.
fn tests(source: &str) -> impl Iterator<Item = String> + '_ {
    let names = source.lines().filter_map(|line| line.strip_prefix("async fn "));
    names.filter_map(|name| {
        let (id, _) = name.split_once('_')?;
        let number = id.strip_prefix(['e', 'd'])?;
        (number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| id.to_owned())
    })
}
