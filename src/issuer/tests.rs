use serde_json::json;

use super::*;

#[test]
fn a_digest_is_that_of_what_is_said_and_not_of_how() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let one = parse(r#"{"ttl":60,"apiTokenSecretRef":{"name":"a","key":"b<c"}}"#);
    let same = parse(r#"{ "apiTokenSecretRef": {"key":"b\u003cc","name":"a"}, "ttl": 60 }"#);
    let digest = solver_digest("g", "s", Some(&one));
    assert_eq!(digest, solver_digest("g", "S", Some(&same)));
    assert_eq!(solver_digest("g", "s", None), solver_digest("g", "s", Some(&Value::Null)));
    let others = [
        solver_digest("h", "s", Some(&one)),
        solver_digest("g", "t", Some(&one)),
        solver_digest("g", "s", None),
        solver_digest("g\",\"s", "", Some(&one)),
    ];
    assert!(!others.contains(&digest));
    assert_ne!(solver_digest("g", "s", Some(&json!(["1,2"]))), solver_digest("g", "s", Some(&json!([1, 2]))));
}

#[test]
fn the_built_in_solvers_fields_are_read() {
    let config = parse(&json!({ "apiTokenSecretRef": { "name": "cf", "key": "token" } })).unwrap();
    let token = CredentialSource::Token(SecretKeyRef { name: "cf".into(), key: "token".into() });
    assert_eq!(config.source(&fqdn("a.example.com")), Some(&token));
    assert_eq!(config.ttl(), 60);
    let key = json!({ "email": "a@b.example", "apiKeySecretRef": { "name": "cf", "key": "key" } });
    assert!(matches!(parse(&key).unwrap().source, Some(CredentialSource::Key { .. })));
}

#[test]
fn the_longest_pin_wins() {
    let id = "023e105f4ecef8ad9ca31a8372d0c353";
    let config = parse(&json!({
        "apiTokenSecretRef": { "name": "cf", "key": "token" },
        "zones": [
            { "name": "example.com", "id": id },
            { "name": "Sub.Example.com.", "apiTokenSecretRef": { "name": "sub", "key": "token" } },
        ],
    }))
    .unwrap();
    assert_eq!(config.pin(&fqdn("a.example.com")).unwrap().id.as_deref(), Some(id));
    assert_eq!(config.pin(&fqdn("a.sub.example.com")).unwrap().id, None);
    assert!(config.pin(&fqdn("example.org")).is_none());
    let Some(CredentialSource::Token(token)) = config.source(&fqdn("a.sub.example.com")) else { panic!() };
    assert_eq!(token.name, "sub");
}

#[test]
fn each_mistake_has_its_text() {
    let ok = json!({ "name": "cf", "key": "token" });
    let cases = [
        (
            json!({ "apiTokenSecretRef": ok, "zone": 1 }),
            "config.zone is not a field of this solver's configuration",
        ),
        (json!({ "apiTokenSecretRef": "s3cr3t" }), "config.apiTokenSecretRef is not an object"),
        (json!({ "apiTokenSecretRef": { "name": "cf" } }), "config.apiTokenSecretRef.key is missing"),
        (
            json!({ "apiTokenSecretRef": ok, "zones": [{ "name": "example.com", "id": "x/../y" }] }),
            "the id of a zone in config.zones is not 32 lower-case hexadecimal digits",
        ),
        (
            json!({ "apiTokenSecretRef": { "name": "../cf", "key": "token" } }),
            "config.apiTokenSecretRef is not a reference to a Secret: its name or key has characters that none can have",
        ),
        (json!({ "apiTokenSecretRef": ok, "zones": [{ "id": 7 }] }), "config.zones[0].name is missing"),
        (json!([]), "config is not an object"),
    ];
    for (config, text) in cases {
        assert_eq!(parse(&config).unwrap_err().to_string(), text);
    }
    assert_eq!(parse(&json!({ "email": "a@b.example" })), Err(IssuerError::Mixed));
    assert_eq!(parse(&json!({})), Err(IssuerError::NoCredential));
    assert_eq!(parse(&json!({ "apiTokenSecretRef": ok, "ttl": 5 })), Err(IssuerError::Ttl));
}

#[test]
fn no_secret_pasted_into_a_field_name_is_repeated() {
    let token = "cfut_0123456789012345678901234567890123456789";
    let error = parse(&json!({ token: {} })).unwrap_err().to_string();
    assert!(!error.contains(token));
}

#[test]
fn the_operators_token_needs_leave() {
    assert_eq!(IssuerConfig::parse(None, false), Err(IssuerError::NoCredential));
    let config = IssuerConfig::parse(None, true).unwrap();
    assert_eq!(config.source(&fqdn("example.com")), Some(&CredentialSource::Ambient));
}

#[test]
fn clean_up_reads_past_what_it_does_not_know() {
    let config = json!({ "apiTokenSecretRef": { "name": "cf", "key": "token" }, "shade": "grey", "ttl": 3,
                         "zones": [{ "name": "example.com", "colour": "red" }] });
    assert!(parse(&config).is_err());
    assert!(IssuerConfig::parse_leniently(Some(&config), false).unwrap().pin(&fqdn("example.com")).is_some());
}

fn parse(config: &Value) -> Result<IssuerConfig, IssuerError> {
    IssuerConfig::parse(Some(config), false)
}

fn fqdn(text: &str) -> Fqdn {
    Fqdn::parse(text).unwrap()
}
