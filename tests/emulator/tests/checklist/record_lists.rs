//! E53 to E56: filters, order, pages of records.

use serde_json::{Value, json};

use crate::support::{Lab, txt, world};

async fn lab() -> Lab {
    let lab = Lab::new(world()).await;
    lab.create(txt("b", "\"Value\"")).await;
    lab.create(txt("a", "Value")).await;
    let mut commented = txt("a", "\"third\"");
    commented["comment"] = json!("managed-by=Webhook;v1");
    lab.create(commented).await;
    lab.create(json!({"type": "A", "name": "c", "content": "192.0.2.1", "ttl": 300})).await;
    lab
}

#[tokio::test]
async fn e53_list_filters_and_order() {
    let lab = lab().await;
    let all = lab.api().get(&lab.records("")).await;
    assert_eq!(all.json["result_info"]["per_page"], 100);
    let types: Vec<_> = all.ok().as_array().unwrap().iter().map(|record| record["type"].clone()).collect();
    assert_eq!(types, ["A", "TXT", "TXT", "TXT"]);
    let cases = [
        ("?name=A.example.com", vec!["Value", "\"third\""]),
        ("?name.exact=a.EXAMPLE.com&type=TXT", vec!["Value", "\"third\""]),
        ("?content.contains=value", vec!["\"Value\"", "Value"]),
        ("?content.exact=vALUE", vec!["Value"]),
        ("?content=%22value%22", vec!["\"Value\""]),
        ("?name.startswith=b.", vec!["\"Value\""]),
        ("?name.endswith=.com&type=A", vec!["192.0.2.1"]),
        ("?search=third", vec!["\"third\""]),
        ("?order=name&direction=desc&type=TXT&per_page=1", vec!["\"Value\""]),
        ("?type=TXT&per_page=2&page=2", vec!["\"third\""]),
        ("?type=TXT&page=9", vec![]),
    ];
    for (query, expected) in cases {
        assert_eq!(contents(&lab.list(query).await), expected, "{query}");
    }
    lab.emulator.change(|settings| settings.switches.content_exact_ignores_quotes = true);
    assert_eq!(contents(&lab.list("?content.exact=value").await), ["\"Value\"", "Value"]);
}

#[tokio::test]
async fn e54_old_operators_are_literal() {
    let lab = lab().await;
    for query in ["?name=a.example.com,b.example.com", "?name=contains:a", "?content=contains:value"] {
        assert!(lab.list(query).await.is_empty(), "{query}");
    }
}

#[tokio::test]
async fn e55_comment_filters() {
    let lab = lab().await;
    let queries = ["?comment.startswith=MANAGED-BY=webhook", "?comment.contains=v1", "?comment.present=true"];
    for query in queries {
        assert_eq!(contents(&lab.list(query).await), ["\"third\""], "{query}");
    }
    assert_eq!(lab.list("?comment.absent=true").await.len(), 3);
    assert_eq!(lab.list("?comment.exact=managed-by=webhook").await.len(), 0);
}

#[tokio::test]
async fn e56_match_any() {
    let lab = lab().await;
    assert_eq!(lab.list("?match=any&name=b.example.com&content=192.0.2.1").await.len(), 2);
    assert_eq!(lab.list("?match=all&name=b.example.com&content=192.0.2.1").await.len(), 0);
    assert_eq!(lab.list("?match=any").await.len(), 4);
}

fn contents(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["content"].as_str().unwrap()).collect()
}
