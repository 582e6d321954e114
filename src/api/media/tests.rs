use http::header::CONTENT_TYPE;

use super::content_type::{Written, written};
use super::*;

fn reader(accept: &str) -> Reader {
    Reader { accept: Some(accept.parse().unwrap()), pretty: false }
}

/// Every line is what the original answers.
#[test]
fn the_first_usable_clause_counts() {
    use Format::{Json, Pretty, Yaml};
    for (accept, expected) in [
        ("", Some(Json)),
        ("*/*", Some(Json)),
        ("*", Some(Json)),
        ("application/json", Some(Json)),
        ("  application/json  ", Some(Json)),
        ("application/yaml", Some(Yaml)),
        ("application/*", Some(Json)),
        ("application/vnd.kubernetes.protobuf, */*", Some(Json)),
        ("application/cbor,application/json", Some(Json)),
        ("application/json;q=0, application/yaml", Some(Yaml)),
        ("application/json;q=0.4,application/yaml;q=0.5", Some(Yaml)),
        ("application/json;q=x,application/yaml;q=0.1", Some(Yaml)),
        ("application/json;q=0.1,*/*;q=0.9", Some(Json)),
        ("*/*;q=0.1,application/yaml;q=0.5", Some(Yaml)),
        ("image/*;q=0.1, application/yaml;q=0.05", Some(Yaml)),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Json)),
        ("application/json;charset=utf-8", Some(Json)),
        ("application/json;pretty=1", Some(Pretty)),
        ("application/json;pretty=true", Some(Json)),
        ("application/yaml;pretty=1", Some(Yaml)),
        ("application/json;stream=watch", Some(Json)),
        ("application/json;stream=foo", None),
        ("application/yaml;stream=watch", None),
        ("application/json;sv=v1", Some(Json)),
        ("application/json;sv=v2", None),
        ("application/json;sv=", Some(Json)),
        ("application/json;as", Some(Json)),
        ("application/json;as=", Some(Json)),
        ("application/json;as=Table;g=meta.k8s.io;v=v1", None),
        ("application/json; as = Table", None),
        ("application/json;as=Table;g=meta.k8s.io;v=v1, application/json", Some(Json)),
        ("APPLICATION/JSON", None),
        ("application", None),
        ("application/", None),
        ("/json", None),
        ("*/json", None),
        ("application/vnd.kubernetes.protobuf", None),
        ("text/html", None),
    ] {
        assert_eq!(reader(accept).choose(Form::Plain { server_version: "v1" }), expected, "{accept}");
    }
    assert_eq!(reader("application/json;sv=v1").choose(PLAIN), None);
}

#[test]
fn an_aggregated_form_is_taken_wherever_it_stands() {
    let of = |version: &str| {
        format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList")
    };
    for (accept, expected) in [
        (of("v2"), Some(Format::Json)),
        (of("v2beta1") + "," + &of("v2"), Some(Format::Json)),
        (of("v2") + ";profile=nopeer", Some(Format::Json)),
        (of("v2") + ";pretty=1", Some(Format::Pretty)),
        (of("v2").replace("json", "yaml"), Some(Format::Yaml)),
        ("application/json,".to_owned() + &of("v2") + ";q=0.1", Some(Format::Json)),
        (of("v2beta1"), None),
        (of("v2") + ";sv=v1", None),
        ("*/*".to_owned(), None),
        (String::new(), None),
    ] {
        assert_eq!(reader(&accept).choose(Form::Aggregated { version: "v2" }), expected, "{accept}");
    }
    assert_eq!(reader(&of("v2")).choose(PLAIN), None);
}

#[test]
fn a_media_type_is_named_as_it_is_written() {
    let offered = [JSON, YAML];
    for (accept, named) in [
        ("", true),
        ("*/*;q=0", true),
        ("text/html, application/json;as=Table", true),
        ("application/*", false),
        ("*", false),
        ("APPLICATION/JSON", false),
        ("application/vnd.kubernetes.protobuf", false),
    ] {
        assert_eq!(reader(accept).names(&offered), named, "{accept}");
    }
}

#[test]
fn a_clause_is_found_among_many() {
    let accept = "a/b;q=0.1,".repeat(20_000) + "application/yaml;q=0.5";
    assert_eq!(reader(&accept).choose(PLAIN), Some(Format::Yaml));
    let accept = "application/json;as=Table,".repeat(20_000) + "application/json";
    assert_eq!(reader(&accept).choose(PLAIN), None, "this many are not looked at");
}

#[test]
fn content_types_are_read_as_go_reads_them() {
    for (value, expected) in [
        ("", Some(Written::Json)),
        ("application/json", Some(Written::Json)),
        (" Application/JSON ", Some(Written::Json)),
        ("application/json; charset=utf-8", Some(Written::Json)),
        ("application/json;charset=\"a;\\\"b\" ; d=e", Some(Written::Json)),
        ("application/json;", Some(Written::Json)),
        ("application/json;charset=utf-8;", Some(Written::Json)),
        ("APPLICATION/YAML; a=b", Some(Written::Yaml)),
        ("application/json; x", None),
        ("application/json; charset=\"utf-8", None),
        ("application/json;a=b;A=c", None),
        ("application/json, application/yaml", None),
        ("application/x-yaml", None),
        ("application/cbor", None),
        ("*/*", None),
        ("json", None),
        (";", None),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]);
        assert_eq!(written(&headers), expected, "{value}");
    }
    assert_eq!(written(&HeaderMap::new()), Some(Written::Json));
}

#[test]
fn people_get_lines() {
    let pretty = |agent: &str, raw: &str| {
        let headers = HeaderMap::from_iter([(USER_AGENT, agent.parse().unwrap())]);
        is_for_people(&headers, &Query::parse(Some(raw)))
    };
    assert!(pretty("curl/8.0", "") && pretty("Mozilla/5.0 (X11)", "pretty=") && pretty("x", "pretty=T"));
    assert!(!pretty("curl/8.0", "pretty=0") && !pretty("mozilla/5.0", "") && !pretty("x", "pretty=yes"));
}
