use super::*;

fn json(body: &str) -> Result<Payload, String> {
    decode(body.as_bytes(), Written::Json)
}

fn yaml(body: &str) -> Result<Payload, String> {
    decode(body.as_bytes(), Written::Yaml)
}

#[test]
fn a_payload_is_read_as_go_reads_it() {
    for (accepted, strict) in [
        (r#"{"request":{"uid":"u"}}"#, &[][..]),
        (r#"{"kind":"","apiVersion":null,"request":{"uid":"u","key":null}}"#, &[]),
        (
            r#"{"kind":"ChallengePayload","apiVersion":"webhook.acme.cert-manager.io/v1alpha1","request":{"uid":"u"},"response":{}}"#,
            &[],
        ),
        (r#"{"request":{"uid":"x","uid":"u"}}"#, &[r#"duplicate field "request.uid""#]),
        // The last one counts; what it does not say, the first one does.
        (r#"{"request":{"uid":"u","key":"x"},"request":{"key":""}}"#, &[r#"duplicate field "request""#]),
        (
            r#"{"request":{"uid":"u","UID":"x"},"Request":{}}"#,
            &[r#"unknown field "request.UID""#, r#"unknown field "Request""#],
        ),
        (
            r#"{"request":{"uid":"u","config":{"a":1,"a":2}},"kind":"","kind":"","Kind":""}"#,
            &[r#"duplicate field "kind""#, r#"unknown field "Kind""#],
        ),
        (
            r#"{"request":{"uid":"u","a\"\n":[{}],"b":1,"b":2}}"#,
            &[r#"unknown field "request.a\"\n""#, r#"unknown field "request.b""#],
        ),
        (
            r#"{"request":{"uid":"u"},"response":{"success":true,"status":{"details":{"causes":[{"a":1},{"field":"","field":""}]},"code":7}}}"#,
            &[
                r#"unknown field "response.status.details.causes[0].a""#,
                r#"duplicate field "response.status.details.causes[1].field""#,
            ],
        ),
    ] {
        let payload = json(accepted).unwrap();
        assert_eq!(payload.request.unwrap().uid, "u", "{accepted}");
        assert_eq!(payload.strict, strict, "{accepted}");
    }
    let many = (0..200).fold(String::new(), |many, i| many + &format!(r#","f{i}":1"#));
    assert_eq!(json(&format!(r#"{{"request":{{}}{many}}}"#)).unwrap().strict.len(), 100);
    let not_utf8 = decode(b"{\"request\":{\"dnsName\":\"\xff\"}}", Written::Json).unwrap();
    assert_eq!(not_utf8.request.unwrap().dns_name, "\u{fffd}");
}

#[test]
fn every_field_arrives() {
    let request = serde_json::json!({
        "uid": "u", "action": "a", "type": "t", "dnsName": "d", "key": "k", "resourceNamespace": "n", "resolvedFQDN": "f",
        "resolvedZone": "z", "allowAmbientCredentials": true, "config": { "a": [1, null] },
    });
    for text in [
        serde_json::json!({ "request": request }).to_string(),
        serde_saphyr::to_string(&serde_json::json!({ "request": request })).unwrap(),
    ] {
        let written = if text.starts_with('{') { Written::Json } else { Written::Yaml };
        let read = decode(text.as_bytes(), written).unwrap().request.unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), request);
    }
}

#[test]
fn what_has_no_request_is_a_payload_all_the_same() {
    for body in ["null", "{}", r#"{"request":null}"#, r#"{"request":{},"request":null}"#] {
        assert!(json(body).unwrap().request.is_none(), "{body}");
    }
}

#[test]
fn what_is_no_payload_is_refused() {
    let unrecognized = "the object provided is unrecognized (must be of type ChallengePayload): ";
    let parse_error = "couldn't get version/kind; json parse error: ";
    let refused = "ChallengePayload in version \"v1alpha1\" cannot be handled as a ChallengePayload: ";
    for (body, text) in [
        ("", format!("{unrecognized}{parse_error}unexpected end of JSON input")),
        (r#"{"request":{}"#, format!("{unrecognized}{parse_error}unexpected end of JSON input")),
        (r#""secret""#, format!("{unrecognized}{parse_error}expected an object at line 1 column 8")),
        (
            r#"{"kind":7}"#,
            format!("{unrecognized}{parse_error}json: cannot unmarshal number into Go struct field .kind of type string"),
        ),
        (
            r#"{"apiVersion":"a/b/c","request":{"uid":7}}"#,
            format!("{unrecognized}unexpected GroupVersion string: a/b/c"),
        ),
        (
            r#"{"apiVersion":"g/v1alpha1","kind":"ChallengePayload","request":{"uid":7}}"#,
            format!("{refused}no kind \"ChallengePayload\" is registered for version \"g/v1alpha1\""),
        ),
        (
            r#"{"Kind":"Pod","APIVersion":"v1"}"#,
            "Pod in version \"v1\" cannot be handled as a ChallengePayload: no kind \"Pod\" is registered for version \"v1\"".to_owned(),
        ),
        (
            r#"{"request":{"uid":7,"action":true}}"#,
            format!("{refused}json: cannot unmarshal number into Go struct field ChallengeRequest.request.uid of type types.UID"),
        ),
        (
            r#"{"request":[1,{}]}"#,
            format!("{refused}json: cannot unmarshal array into Go struct field ChallengePayload.request of type v1alpha1.ChallengeRequest"),
        ),
        (
            r#"{"request":{"allowAmbientCredentials":{"a":[]}}}"#,
            format!("{refused}json: cannot unmarshal object into Go struct field ChallengeRequest.request.allowAmbientCredentials of type bool"),
        ),
        (
            r#"{"request":{},"response":{"status":{"details":{"causes":[{"field":"a"},{"field":true}]}}}}"#,
            format!("{refused}json: cannot unmarshal bool into Go struct field StatusCause.response.status.details.causes.field of type string"),
        ),
        (
            r#"{"request":{},"response":{"status":{"code":1.5}}}"#,
            format!("{refused}json: cannot unmarshal number 1.5 into Go struct field Status.response.status.code of type int32"),
        ),
    ] {
        assert_eq!(json(body).unwrap_err(), text, "{body}");
    }
    for body in ["x", "[]", "7", r#"{"request":{}} x"#, r#"{"request":{},}"#, &"[".repeat(1 << 20)] {
        assert!(json(body).unwrap_err().starts_with(unrecognized), "{body:.20}");
    }
}

#[test]
fn yaml_is_read_as_json() {
    let read = yaml("---\nrequest:\n  uid: u\n  foo: 1\n  uid: v\n  allowAmbientCredentials: yes\nbar: 2\n")
        .unwrap();
    let request = read.request.unwrap();
    assert_eq!((request.uid.as_str(), request.allow_ambient_credentials), ("v", true));
    assert_eq!(
        read.strict,
        [r#"duplicate field "request.uid""#, r#"unknown field "bar""#, r#"unknown field "request.foo""#,]
    );
    for body in ["", "~", "{}", r#"{"request": null}"#] {
        assert!(yaml(body).unwrap().request.is_none(), "{body}");
    }
    for body in [
        "- a",
        "x",
        "7",
        "a: [",
        "request: {}\n---\nrequest: {}",
        "request: {uid: 7}",
        "request: [a]",
        "kind: Pod",
    ] {
        assert!(yaml(body).is_err(), "{body}");
    }
}
