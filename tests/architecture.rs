//! The floors of `ARCHITECTURE.md`, held: imports only go down, and adapters never import each other.
#![expect(clippy::unwrap_used, reason = "a test that can't read the sources must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each room; a room of a higher floor may import one of a lower floor, never the other way.
const FLOORS: &[(u8, &[&str])] = &[
    (
        0,
        &[
            "challenge",
            "deadline",
            "expiring",
            "flight",
            "health",
            "issuer",
            "metrics",
            "name",
            "secret",
            "shutdown",
            "telemetry",
        ],
    ),
    (1, &["access", "solver"]),
    (2, &["cloudflare", "cluster", "propagation"]),
    (3, &["admin", "api", "server"]),
    (4, &["app", "cli", "main", "lib"]),
];

/// Which crates may be named on which floors: those that speak to the outside have one room each.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["admin", "api", "app", "server"]),
    ("clap", &["cli", "main"]),
    ("hickory_resolver", &["propagation"]),
    ("hyper", &["server"]),
    ("hyper_util", &["server"]),
    ("k8s_openapi", &["cluster"]),
    ("kube", &["cluster"]),
    ("reqwest", &["cloudflare"]),
    ("rustix", &["metrics", "server"]),
    ("socket2", &["server"]),
    ("serde_saphyr", &["api"]),
    ("tokio_rustls", &["server"]),
    ("anyhow", &["app", "main"]),
];

#[test]
fn imports_only_go_down() {
    let mut broken = Vec::new();
    for (room, path, text) in sources() {
        let floor = floor(&room)
            .unwrap_or_else(|| panic!("{room} is on no floor; add it to ARCHITECTURE.md and here"));
        for imported in rooms_named_in(&text) {
            let below = self::floor(&imported);
            let allowed = imported == room
                || below.is_some_and(|below| below < floor || (below == floor && floor != 2));
            if !allowed {
                broken.push(format!("{} imports {imported}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn each_crate_of_the_outside_has_its_room() {
    let mut broken = Vec::new();
    for (room, path, text) in sources() {
        for (name, rooms) in CRATES {
            let is_named =
                text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).any(|line| {
                    line.match_indices(&format!("{name}::")).any(|(at, _)| {
                        let before = line[..at].chars().next_back();
                        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                    })
                });
            if is_named && !rooms.contains(&&*room) {
                broken.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn main_is_short() {
    let lines = fs::read_to_string(root().join("main.rs")).unwrap().lines().count();
    assert!(lines <= 40, "src/main.rs has {lines} lines");
}

#[test]
fn the_picture_names_every_room() {
    let picture = fs::read_to_string(root().join("../ARCHITECTURE.md")).unwrap();
    let rooms: BTreeMap<_, _> = sources().into_iter().map(|(room, path, _)| (room, path)).collect();
    let missing: Vec<_> = rooms.keys().filter(|room| !picture.contains(&format!("`{room}"))).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:?}");
}

/// Every source file outside of test modules: its room, its path and its text.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    let of = |path: PathBuf| {
        let relative = path.strip_prefix(root()).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = room.strip_suffix(".rs").unwrap_or(room).to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        (room, path, text)
    };
    let is_test =
        |path: &PathBuf| path.with_extension("").components().any(|part| part.as_os_str() == "tests");
    files
        .into_iter()
        .filter(|path| !is_test(&path.strip_prefix(root()).unwrap().to_owned()))
        .map(of)
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The rooms that a text imports with `crate::…`, in whatever form.
fn rooms_named_in(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let group = rest.strip_prefix('{').map(|group| group.split('}').next().unwrap_or_default());
        let names = group.unwrap_or(rest).split(',').take(if group.is_some() { usize::MAX } else { 1 });
        for name in names {
            let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            let name = name.trim().split(end).next().unwrap_or_default();
            if !name.is_empty() {
                rooms.push(name.to_owned());
            }
        }
    }
    rooms
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
