//! The bill of materials, as [CycloneDX 1.5](https://cyclonedx.org/docs/1.5/json/).

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::graph::{Crate, Graph};

pub(crate) fn text(graph: &Graph) -> Result<String> {
    let program = graph.crates.get(&graph.root).map(|program| component(program, "application"));
    let others = graph.crates.iter().filter(|(id, _)| **id != graph.root);
    let components: Vec<_> = others.map(|(_, linked)| component(linked, "library")).collect();
    let needs =
        |ids: &[String]| -> Vec<_> { ids.iter().filter_map(|id| graph.crates.get(id)).map(purl).collect() };
    let dependencies: Vec<_> = graph
        .crates
        .values()
        .map(|linked| json!({ "ref": purl(linked), "dependsOn": needs(&linked.needs) }))
        .collect();
    let bom = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": program },
        "components": components,
        "dependencies": dependencies,
    });
    Ok(serde_json::to_string_pretty(&bom)? + "\n")
}

fn component(linked: &Crate, kind: &str) -> Value {
    let mut component = Map::new();
    let mut set = |key: &str, value: Value| drop(component.insert(key.to_owned(), value));
    set("type", kind.into());
    set("bom-ref", purl(linked).into());
    set("name", linked.name.as_str().into());
    set("version", linked.version.as_str().into());
    set("purl", purl(linked).into());
    if let Some(description) = &linked.description {
        set("description", description.trim().into());
    }
    if let Some(licence) = &linked.licence {
        // Older crates write "MIT/Apache-2.0", which is no expression of SPDX.
        set("licenses", json!([{ "expression": licence.replace('/', " OR ") }]));
    }
    if let Some(checksum) = &linked.checksum {
        set("hashes", json!([{ "alg": "SHA-256", "content": checksum }]));
    }
    Value::Object(component)
}

/// <https://github.com/package-url/purl-spec/blob/main/types-doc/cargo-definition.md>
fn purl(linked: &Crate) -> String {
    format!("pkg:cargo/{}@{}", linked.name, linked.version)
}
