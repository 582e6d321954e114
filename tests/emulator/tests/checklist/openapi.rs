//! Holds exchanges against `testdata/cloudflare-dns.openapi.json`, with as much of OpenAPI 3.0 as it uses.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../testdata/cloudflare-dns.openapi.json")).unwrap()
});

static DATE_TIME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$").unwrap()
});

/// Panics when an exchange is not as described. `path` begins below `/client/v4`.
pub(crate) fn check(method: &str, path: &str, request: Option<&Value>, status: u16, response: &Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let Some(operation) = operation(method, path) else {
        return;
    };
    let responses = &operation["responses"];
    let mut problems = Vec::new();
    if status == 200 {
        if let Some(request) = request {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            validate(schema, request, "request", &mut problems);
        }
        check_query(operation, query, &mut problems);
        let schema = &responses["200"]["content"]["application/json"]["schema"];
        validate(schema, response, "response", &mut problems);
    } else {
        // The description joins success and failure with allOf, which nothing can satisfy: take the failure.
        let schema = failure(&responses["4XX"]).expect("a failure schema");
        validate(schema, response, "response", &mut problems);
    }
    assert!(problems.is_empty(), "{method} {path} {status}: {problems:#?}\n{response:#}");
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fits = |template: &&String| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len()
            && wanted.iter().zip(&parts).all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    // Fixed parts (`batch`, `usage`) go before ids.
    let template = paths.keys().filter(fits).min_by_key(|template| template.matches('{').count())?;
    paths[template].get(method.to_lowercase())
}

fn check_query(operation: &Value, query: &str, problems: &mut Vec<String>) {
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let parameters = operation["parameters"].as_array().unwrap();
        let declared =
            parameters.iter().find(|parameter| parameter["in"] == "query" && parameter["name"] == *name);
        let Some(declared) = declared else {
            problems.push(format!("query parameter {name:?} is not described"));
            continue;
        };
        let schema = resolve(&declared["schema"]);
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.iter().any(|allowed| allowed == &*value)
        {
            problems.push(format!("query parameter {name}={value} is not one of {allowed:?}"));
        }
    }
}

fn failure(value: &'static Value) -> Option<&'static Value> {
    match value {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str);
            if own.is_some_and(|reference| reference.ends_with("common-failure")) {
                return Some(value);
            }
            map.values().find_map(failure)
        }
        Value::Array(items) => items.iter().find_map(failure),
        _ => None,
    }
}

fn resolve(schema: &Value) -> &Value {
    let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
        return schema;
    };
    let target =
        DOCUMENT.pointer(reference.trim_start_matches('#')).expect("a schema behind every reference");
    resolve(target)
}

fn validate(schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    let schema = resolve(schema);
    let mut wrong = |what: String| problems.push(format!("{at}: {what}"));
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if let Some(kind) = schema["type"].as_str() {
        let fits = match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            other => panic!("type {other}"),
        };
        if !fits {
            return wrong(format!("{value} is no {kind}"));
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        wrong(format!("{value} is not one of {allowed:?}"));
    }
    if let Some(number) = value.as_f64() {
        // Codes below 1000 (0 and 971) were seen; the description says 1000.
        let least = schema["minimum"].as_f64().filter(|_| at.rsplit('.').next() != Some("code"));
        if least.is_some_and(|least| number < least) {
            wrong(format!("{number} is too small"));
        }
        if schema["maximum"].as_f64().is_some_and(|most| number > most) {
            wrong(format!("{number} is too big"));
        }
    }
    if let Some(text) = value.as_str() {
        validate_text(schema, text, &mut wrong);
    }
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate().filter(|_| schema["items"].is_object()) {
            validate(&schema["items"], item, &format!("{at}[{index}]"), problems);
        }
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                problems.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, field) in fields {
            if let Some(schema) = schema["properties"].get(name) {
                validate(schema, field, &format!("{at}.{name}"), problems);
            }
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        validate(part, value, at, problems);
    }
    for (word, exactly) in [("anyOf", false), ("oneOf", true)] {
        let Some(parts) = schema[word].as_array() else {
            continue;
        };
        let attempts = parts.iter().map(|part| {
            let mut inner = Vec::new();
            validate(part, value, at, &mut inner);
            inner
        });
        let attempts: Vec<_> = attempts.collect();
        let fitting = attempts.iter().filter(|problems| problems.is_empty()).count();
        if fitting == 0 || (exactly && fitting > 1) {
            problems.push(format!(
                "{at}: {fitting} of {word} fit: {:?}",
                attempts.iter().min_by_key(|all| all.len())
            ));
        }
    }
}

fn validate_text(schema: &Value, text: &str, wrong: &mut impl FnMut(String)) {
    let length = text.chars().count() as u64;
    if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
        wrong(format!("{text:?} is too long"));
    }
    if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        wrong(format!("{text:?} is too short"));
    }
    let wanted = schema["pattern"].as_str().map(|pattern| Regex::new(&ascii_digits(pattern)).unwrap());
    let formatted = (schema["format"] == "date-time").then(|| DATE_TIME.clone());
    for pattern in wanted.into_iter().chain(formatted) {
        if !pattern.is_match(text) {
            wrong(format!("{text:?} does not match {pattern}"));
        }
    }
}

/// `\d` as in ECMA 262, which means ASCII; the crate is built without Unicode tables.
fn ascii_digits(pattern: &str) -> String {
    pattern.replace(r"\d", "[0-9]")
}

mod tests {
    use serde_json::json;

    use super::check;

    #[test]
    #[should_panic(expected = "is not described")]
    fn an_unknown_parameter_is_found() {
        check("GET", "/zones?zone_id=1", None, 200, &json!({}));
    }

    #[test]
    #[should_panic(expected = "created_on is missing")]
    fn a_missing_field_is_found() {
        let record = json!({"id": "x", "type": "TXT", "name": "a.b", "content": "c", "proxiable": false,
            "proxied": false, "ttl": 60, "modified_on": "2026-01-01T00:00:00Z", "meta": {}});
        let body = json!({"result": record, "success": true, "errors": [], "messages": []});
        check("GET", "/zones/x/dns_records/y", None, 200, &body);
    }
}
