//! Links lead somewhere, and somewhere leads to each page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::pages::{Page, pages};

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut broken = Vec::new();
    for page in &pages {
        let links = page.links();
        let faults = links.iter().filter_map(|link| Some((link, fault(&pages, page, link)?)));
        broken.extend(faults.map(|(link, fault)| format!("{}: {link}: {fault}", page.path.display())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let pages = pages();
    let start = PathBuf::from("README.md");
    let (mut reached, mut open) = (BTreeSet::from([start.clone()]), vec![start]);
    while let Some(path) = open.pop() {
        let links = pages.iter().filter(|page| page.path == path).flat_map(|page| {
            let links = page.links();
            links.into_iter().map(move |link| resolve(page, link.split('#').next().unwrap_or_default()))
        });
        for target in links {
            if reached.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    let documents = pages.iter().map(|page| &page.path).filter(|path| path.starts_with("docs"));
    let lost: Vec<_> = documents.filter(|path| !reached.contains(*path)).collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}

fn fault(pages: &[Page], page: &Page, link: &str) -> Option<&'static str> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    if path.starts_with('/') {
        return Some("not relative");
    }
    let target = resolve(page, path);
    let Some(anchor) = anchor else {
        return (!target.exists()).then_some("no such file");
    };
    match pages.iter().find(|page| page.path == target) {
        None => Some("no such page"),
        Some(page) => (!page.anchors().contains(anchor)).then_some("no such heading"),
    }
}

fn resolve(page: &Page, path: &str) -> PathBuf {
    if path.is_empty() {
        return page.path.clone();
    }
    let mut target = page.path.parent().map(Path::to_path_buf).unwrap_or_default();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            target.pop();
        } else {
            target.push(part);
        }
    }
    target
}
