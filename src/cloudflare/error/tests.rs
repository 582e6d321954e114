use super::*;
use crate::cloudflare::script::{answer, fqdn, html, ok, refusal, token};
use crate::solver::error::Class;

#[test]
fn answers_mean_what_they_are_known_to_mean() {
    for (status, code, message, expected) in KNOWN {
        assert_eq!(verdict(&refusal(*status, *code, message)), Err(*expected), "{status} {code} {message}");
    }
}

#[test]
fn chains_are_read_and_the_root_counts() {
    let chained = |code: u32, inner: u32| {
        let body = format!(
            r#"{{"success":false,"errors":[{{"code":{code},"message":"x","error_chain":[{{"code":{inner},"message":"y"}}]}}],"messages":[],"result":null}}"#
        );
        verdict(&answer(400, "application/json", &body))
    };
    assert_eq!(chained(6003, 6111), Err(Kind::Credential));
    assert_eq!(chained(6003, 6103), Err(Kind::Credential));
    assert_eq!(chained(1004, 9021), Err(Kind::Refused(9021)));
    assert_eq!(chained(1004, 81058), Err(Kind::Identical));
    assert_eq!(chained(7003, 7000), Err(Kind::NoZone));
}

#[test]
fn what_is_no_envelope_says_nothing_of_the_credential() {
    let lost = Err(Kind::Unavailable { unsent: false });
    for status in [200, 301, 400, 401, 403, 404, 500, 502, 520] {
        assert_eq!(verdict(&html(status)), lost, "{status} HTML");
        assert_eq!(verdict(&answer(status, "application/json", "")), lost, "{status} empty");
        assert_eq!(verdict(&answer(status, "application/json", r#"{"success":fal"#)), lost, "{status} cut");
        assert_eq!(
            verdict(&answer(status, "application/json", r#"{"kind":"Status"}"#)),
            lost,
            "{status} other"
        );
    }
    // JSON that says it is HTML is what an error page of a proxy may be.
    assert_eq!(verdict(&answer(403, "text/html", r#"{"success":false,"errors":[]}"#)), lost);
    assert_eq!(verdict(&html(429)), Err(Kind::Limited));
}

#[test]
fn successes_need_no_more_than_their_result() {
    let yes = |body| assert_eq!(verdict(&answer(200, "application/json", body)), Ok(()), "{body}");
    assert_eq!(verdict(&ok(&serde_json::json!([]))), Ok(()));
    yes(r#"{"result":{"id":"x"}}"#);
    yes(r#"{"result":null,"success":true,"errors":null,"messages":null}"#);
    yes(
        r#"{"result":{},"success":true,"errors":[],"messages":[{"code":10000,"message":"This API Token is valid and active","type":null}]}"#,
    );
    let no = |body| {
        let lost = Err(Kind::Unavailable { unsent: false });
        assert_eq!(verdict(&answer(200, "application/json", body)), lost, "{body}");
    };
    no(r#"{"result":null}"#);
    no(r#"{"result":[],"success":false,"errors":[]}"#);
    no("[]");
}

#[test]
fn the_public_text_is_the_same_whatever_the_answer_carries() {
    let zone = fqdn("example.com");
    let texts: Vec<_> = [("ray-1", "location: 192.0.2.1"), ("ray-2", "location: 192.0.2.2")]
        .into_iter()
        .map(|(ray, place)| {
            let message = format!("Cannot use the access token from {place}");
            let mut answer = refusal(403, 9109, &message);
            answer.headers.insert("cf-ray", ray.parse().unwrap());
            let failure = Failure::new(verdict(&answer).unwrap_err(), detail(&answer));
            let error = failure.clone().at_records(&zone);
            assert!(error.detail().unwrap().contains(ray) && error.detail().unwrap().contains(place));
            [error.to_string(), failure.at_zones().to_string()]
        })
        .collect();
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0][0], texts[0][1]);
    assert!(!texts[0][0].contains("192.0.2"));
}

#[test]
fn the_log_is_short_one_line_and_without_the_credential() {
    // The credential straddles the 200th character.
    let echo = format!("{}\n\u{1b}[31mBearer hunter2{}", "x".repeat(182), "y".repeat(1000));
    for answer in [refusal(400, 6003, &echo), answer(502, "text/plain", &echo)] {
        let text = detail(&answer);
        assert!(text.contains("86610873f8d987a9-IAD"), "{text}");
        assert!(text.chars().count() < 300, "{text}");
        assert!(!text.contains(char::is_control), "{text}");
        assert!(!text.contains("hunt"), "{text}");
    }
    let mut limited = refusal(429, 971, "Please wait");
    limited.headers.insert("retry-after", "17".parse().unwrap());
    assert!(detail(&limited).contains("retry-after 17"));
}

#[test]
fn only_a_definite_no_is_gone_or_denied() {
    let zone = fqdn("example.com");
    let class = |answer: &Answer| {
        let failure = Failure::new(verdict(answer).unwrap_err(), "");
        (failure.clone().at_records(&zone).cause().class(), failure.at_zones().cause().class())
    };
    assert_eq!(class(&html(403)), (Class::Retry, Class::Retry));
    assert_eq!(class(&refusal(404, 7000, "No route for that URI")), (Class::Retry, Class::Retry));
    assert_eq!(class(&refusal(404, 7003, "Could not route")), (Class::Gone, Class::Retry));
    assert_eq!(class(&refusal(403, 9109, "Invalid access token")), (Class::Denied, Class::Denied));
}

fn verdict(answer: &Answer) -> Result<(), Kind> {
    judge(answer.status, Envelope::parse(answer).as_ref())
}

fn detail(answer: &Answer) -> String {
    describe(answer, Envelope::parse(answer).as_ref(), &token("hunter2"))
}

const LOST: Kind = Kind::Unavailable { unsent: false };
/// As documented, or as quoted in the issues of other clients.
#[rustfmt::skip]
const KNOWN: &[(u16, u32, &str, Kind)] = &[
    (400, 6003, "Invalid request headers", Kind::Credential),
    (403, 9109, "Invalid access token", Kind::Credential),
    (401, 9109, "Invalid access token", Kind::Credential),
    (403, 9109, "Cannot use the access token from location: 192.0.2.7", Kind::Address),
    (403, 9109, "Unauthorized to access requested resource", Kind::Denied),
    (403, 9103, "Unknown X-Auth-Key or X-Auth-Email", Kind::Credential),
    (400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers", Kind::Credential),
    (403, 10000, "Authentication error", Kind::Denied),
    (400, 10000, "Unauthorized", Kind::Denied),
    (403, 10001, "Unable to authenticate request", Kind::Denied),
    (401, 1000, "Invalid API Token", Kind::Credential),
    (400, 1001, "Missing \"Authorization\" header", Kind::Credential),
    (400, 1001, "Invalid zone identifier", Kind::Refused(1001)),
    (403, 0, "Actor 'com.cloudflare.api.token.1' requires permission 'com.cloudflare.api.account.zone.list' to list zones", Kind::Denied),
    (400, 0, "Actor 'com.cloudflare.api.token.1' requires permission 'com.cloudflare.api.account.zone.list' to list zones", Kind::Denied),
    (403, 1009, "Unauthorized", Kind::Denied),
    (403, 1038, "You cannot use this API for domains with a .cf TLD", Kind::Refused(1038)),
    (400, 7003, "Could not route to /client/v4/zones/x", Kind::NoZone),
    (404, 7003, "Could not route to /client/v4/zones/x", Kind::NoZone),
    (404, 7000, "No route for that URI", Kind::NoRoute),
    (404, 81044, "Record does not exist.", Kind::NoRecord),
    (404, 1234, "Not found", Kind::NotFound),
    (400, 81057, "The record already exists.", Kind::Identical),
    (400, 81058, "An identical record already exists.", Kind::Identical),
    (400, 81053, "An A, AAAA, or CNAME record with that host already exists.", Kind::Refused(81053)),
    (400, 81054, "A CNAME record with that host already exists.", Kind::Refused(81054)),
    (400, 81045, "Record quota exceeded.", Kind::Quota),
    (400, 9000, "DNS name is invalid.", Kind::Refused(9000)),
    (400, 9021, "Invalid TTL", Kind::Refused(9021)),
    (400, 9313, "DNS record comment exceeds the maximum length of 100 characters.", Kind::Refused(9313)),
    (400, 83011, "Combined content length of records with this name", Kind::Refused(83011)),
    (405, 10000, "Method not allowed for this authentication scheme", Kind::Denied),
    (408, 1, "Timeout", LOST),
    (409, 1, "Conflict", LOST),
    (429, 10100, "More than 1200 requests per 300 seconds reached", Kind::Limited),
    (429, 971, "Please wait and consider throttling your request speed", Kind::Limited),
    (400, 971, "Please wait and consider throttling your request speed", Kind::Limited),
    (500, 81058, "a code that a 5xx can't vouch for", LOST),
    (503, 10000, "Authentication error", LOST),
    (200, 81058, "An identical record already exists.", Kind::Identical),
    (200, 9000, "DNS name is invalid.", Kind::Refused(9000)),
    (302, 10000, "Authentication error", LOST),
];
