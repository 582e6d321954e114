//! The texts of the licences, each once, with the crates that come under it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::graph::{Crate, Graph};

pub(crate) fn text(graph: &Graph) -> Result<String> {
    let mut crates_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::new();
    for linked in graph.crates.iter().filter(|(id, _)| **id != graph.root).map(|(_, linked)| linked) {
        let name = format!("{} {}", linked.name, linked.version);
        writeln!(list, "{name}: {}", linked.licence.as_deref().unwrap_or("see below"))?;
        for text in texts(linked)? {
            crates_of.entry(text).or_default().push(name.clone());
        }
    }
    let mut whole = format!("What is linked into this program, and under which licences.\n\n{list}");
    for (text, crates) in crates_of {
        write!(whole, "\n{}\n{}\n\n{text}\n", "=".repeat(80), crates.join(", "))?;
    }
    Ok(whole)
}

/// The files that a crate comes with; one without any has to name a licence whose text others bring.
fn texts(linked: &Crate) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    collect(&linked.directory, &mut texts).with_context(|| linked.directory.display().to_string())?;
    ensure!(
        !texts.is_empty() || linked.licence.is_some(),
        "{} comes without a licence, in words or by name",
        linked.name
    );
    texts.sort();
    texts.dedup();
    Ok(texts)
}

fn collect(directory: &Path, texts: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        let is_one = NAMES.iter().any(|start| name.starts_with(start));
        if is_one && entry.file_type()?.is_file() {
            // Line ends and margins differ where the words are the same.
            let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
            let lines: Vec<_> = text.lines().map(str::trim_end).collect();
            texts.push(lines.join("\n").trim().to_owned());
        }
    }
    Ok(())
}

const NAMES: [&str; 5] = ["license", "licence", "copying", "notice", "unlicense"];
