//! The solver's configuration in an Issuer: refused with a short text of one line, or read, and then read the same by
//! the lenient reading of a `CleanUp`.
#![no_main]

use cert_manager_webhook_cloudflare::issuer::{IssuerConfig, solver_digest};
use cert_manager_webhook_cloudflare::name::Fqdn;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((&how, json)) = data.split_first() else { return };
    let ambient = how & 1 == 1;
    let Ok(config) = serde_json::from_slice::<Value>(json) else { return };
    match IssuerConfig::parse(Some(&config), ambient) {
        Ok(strict) => {
            let lenient = IssuerConfig::parse_leniently(Some(&config), ambient).unwrap();
            let name = Fqdn::parse("_acme-challenge.www.example.com").unwrap();
            assert_eq!(
                (strict.pin(&name), strict.source(&name)),
                (lenient.pin(&name), lenient.source(&name))
            );
            // However it is written: a Challenge's configuration has been through the API server.
            let again: Value = serde_json::from_str(&config.to_string()).unwrap();
            assert_eq!(solver_digest("g", "cf", Some(&config)), solver_digest("g", "CF", Some(&again)));
            assert!(strict.ttl() == 1 || (30..=86_400).contains(&strict.ttl()));
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() <= 300 && !text.contains(char::is_control), "{text:?}");
            assert_eq!(IssuerConfig::parse(Some(&config), ambient).unwrap_err().to_string(), text);
        }
    }
});
