//! The pages: every Markdown file of the repository, taken apart as far as the tests here need it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A Markdown file.
pub(crate) struct Page {
    /// From the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A fenced block.
pub(crate) struct Block<'a> {
    /// The line at which it begins.
    pub(crate) line: usize,
    pub(crate) language: &'a str,
    pub(crate) text: String,
}

/// All of them.
pub(crate) fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    collect(Path::new(""), &mut pages);
    pages
}

/// One of them.
pub(crate) fn page(path: &str) -> Page {
    Page { path: path.into(), text: fs::read_to_string(path).unwrap() }
}

fn collect(directory: &Path, pages: &mut Vec<Page>) {
    for entry in fs::read_dir(Path::new(".").join(directory)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = directory.join(&name);
        if path.is_dir() {
            // What is built, and Git's own.
            if name != "target" && !name.starts_with('.') {
                collect(&path, pages);
            }
        } else if path.extension().is_some_and(|kind| kind == "md") {
            pages.push(Page { text: fs::read_to_string(&path).unwrap(), path });
        }
    }
}

impl Page {
    /// The fenced blocks.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        self.take_apart().1
    }

    /// Where its links lead within the repository.
    pub(crate) fn links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for line in self.prose() {
            let line = without_code(line);
            let targets =
                line.match_indices("](").filter_map(|(at, mark)| line[at + mark.len()..].split_once(')'));
            let inside = targets.map(|(target, _)| target).filter(|target| !target.contains("://"));
            links.extend(inside.map(str::to_owned));
        }
        links
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let mut counts = BTreeMap::<String, usize>::new();
        let mut anchors = BTreeSet::new();
        for heading in self.prose().into_iter().filter_map(heading) {
            let slug = slug(heading);
            let count = counts.entry(slug.clone()).or_default();
            anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
            *count += 1;
        }
        anchors
    }

    /// The rows of the tables between this heading and the next one, whatever its level.
    pub(crate) fn rows(&self, under: &str) -> Vec<Vec<&str>> {
        let prose = self.prose();
        let from = prose.iter().position(|line| heading(line) == Some(under));
        assert!(from.is_some(), "{} has no heading {under:?}", self.path.display());
        let section = prose[from.unwrap() + 1..].iter().take_while(|line| heading(line).is_none());
        section.filter_map(|line| cells(line)).collect()
    }

    /// What stands between backticks in its text.
    pub(crate) fn spans(&self) -> Vec<&str> {
        self.prose().into_iter().flat_map(spans).collect()
    }

    fn prose(&self) -> Vec<&str> {
        self.take_apart().0
    }

    fn take_apart(&self) -> (Vec<&str>, Vec<Block<'_>>) {
        let (mut prose, mut blocks) = (Vec::new(), Vec::new());
        let mut open: Option<Block<'_>> = None;
        for (line, text) in (1..).zip(self.text.lines()) {
            let fence = text.trim_start().strip_prefix("```");
            match (open.take(), fence) {
                (None, None) => prose.push(text),
                (None, Some(language)) => {
                    open = Some(Block { line, language: language.trim(), text: String::new() });
                }
                (Some(block), Some(_)) => blocks.push(block),
                (Some(mut block), None) => {
                    block.text.push_str(text);
                    block.text.push('\n');
                    open = Some(block);
                }
            }
        }
        assert!(open.is_none(), "{} has a block without an end", self.path.display());
        (prose, blocks)
    }
}

/// What stands between backticks.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    (1..=6).contains(&(line.len() - text.len())).then_some(text)?.strip_prefix(' ').map(str::trim)
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix('|')?;
    Some(row.strip_suffix('|').unwrap_or(row).split('|').map(str::trim).collect())
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Letters, digits, `-` and `_` stay, in lower case; spaces become hyphens; all else goes
/// (<https://docs.github.com/en/get-started/writing-on-github>).
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn headings_have_the_anchors_of_github() {
    let text =
        "# A Challenge hangs\n```sh\n# no heading\n```\n## `auto`, *or* not?\n## Again\n## Again\n#none\n";
    let page = Page { path: "x.md".into(), text: text.to_owned() };
    let anchors = ["a-challenge-hangs", "again", "again-1", "auto-or-not"].map(str::to_owned);
    assert_eq!(page.anchors(), BTreeSet::from(anchors));
}

#[test]
fn tables_and_links_are_taken_apart() {
    let text = "## T\n| a | b |\n|---|---|\n| `x` | |\n[`c](d)`](e.md#f) ![g](h.svg) [i](https://j)\n";
    let page = Page { path: "x.md".into(), text: text.to_owned() };
    assert_eq!(page.rows("T"), [vec!["a", "b"], vec!["---", "---"], vec!["`x`", ""]]);
    assert_eq!(page.links(), ["e.md#f", "h.svg"]);
}
