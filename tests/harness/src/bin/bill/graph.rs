//! The crates that are linked in, and what each needs.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The program and its crates, by id.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) root: String,
    pub(crate) crates: BTreeMap<String, Crate>,
}

/// A crate as it is linked in.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression, or a file of the crate's own.
    pub(crate) licence: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) directory: PathBuf,
    /// SHA-256 of the package, as the lock file has it; none for the program itself.
    pub(crate) checksum: Option<String>,
    /// Ids of what it needs.
    pub(crate) needs: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    description: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// None for what is linked in.
    kind: Option<String>,
}

impl Graph {
    /// Asks cargo, in the working directory.
    pub(crate) fn read(target: &str) -> Result<Self> {
        let mut cargo = Command::new("cargo");
        cargo.args(["metadata", "--locked", "--format-version=1", "--filter-platform", target]);
        let output = cargo.stderr(Stdio::inherit()).output().context("cargo")?;
        ensure!(output.status.success(), "cargo metadata: {}", output.status);
        let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
        let lock = std::fs::read_to_string(metadata.workspace_root.join("Cargo.lock"))?;
        metadata.linked(&checksums(&lock))
    }
}

impl Metadata {
    fn linked(self, checksums: &HashMap<(&str, &str), &str>) -> Result<Graph> {
        let root = self.packages.iter().find(|package| package.name == PROGRAM).context(PROGRAM)?.id.clone();
        let packages: HashMap<_, _> = self.packages.iter().map(|package| (&*package.id, package)).collect();
        let nodes: HashMap<_, _> = self.resolve.nodes.iter().map(|node| (&*node.id, node)).collect();
        let mut crates = BTreeMap::new();
        let mut left = vec![root.clone()];
        while let Some(id) = left.pop() {
            if crates.contains_key(&id) {
                continue;
            }
            let package = packages.get(&*id).context("a package without data")?;
            let needs = nodes.get(&*id).context("a package that is not resolved")?.linked();
            left.extend(needs.iter().cloned());
            crates.insert(id, package.linked(needs, checksums));
        }
        Ok(Graph { root, crates })
    }
}

impl Node {
    fn linked(&self) -> Vec<String> {
        let linked = self.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        let mut ids: Vec<_> = linked.map(|dep| dep.pkg.clone()).collect();
        ids.sort();
        ids
    }
}

impl Package {
    fn linked(&self, needs: Vec<String>, checksums: &HashMap<(&str, &str), &str>) -> Crate {
        Crate {
            name: self.name.clone(),
            version: self.version.clone(),
            licence: self.license.clone(),
            description: self.description.clone(),
            directory: self.manifest_path.parent().map(Into::into).unwrap_or_default(),
            checksum: checksums.get(&(&*self.name, &*self.version)).map(|sum| (*sum).to_owned()),
            needs,
        }
    }
}

/// The checksums of a lock file, by name and version.
fn checksums(lock: &str) -> HashMap<(&str, &str), &str> {
    lock.split("[[package]]")
        .filter_map(|package| {
            let value = |key: &str| {
                let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
                Some(line.trim_matches('"'))
            };
            Some(((value("name")?, value("version")?), value("checksum")?))
        })
        .collect()
}

const PROGRAM: &str = "cert-manager-webhook-cloudflare";
