//! Settings that can't be: the program ends at once and names the flag.

use std::process::{Command, Output};

use super::PROGRAM;

#[test]
fn a_wrong_value_names_its_flag() {
    for (flag, value) in [
        ("--group-name", "Not A Group"),
        ("--solver-name", "CloudFlare"),
        ("--secure-port", "65536"),
        ("--bind-address", "localhost"),
        ("--propagation-timeout", "40"),
        ("--propagation-check", "maybe"),
        ("--owner-id", "a b"),
        ("--metrics-bind-address", "9402"),
        ("--log-format", "xml"),
    ] {
        let output = serve(&["--tls-cert-file=a", "--tls-private-key-file=b", &format!("{flag}={value}")]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{flag}: {said}");
        assert!(said.contains(flag), "{flag}: {said}");
    }
}

#[test]
fn a_missing_flag_is_named() {
    let output = serve(&["--tls-private-key-file=b"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--tls-cert-file"), "{}", said(&output));
}

#[test]
fn a_file_that_is_not_there_is_named_with_its_flag() {
    let output = serve(&["--tls-cert-file=/nowhere/tls.crt", "--tls-private-key-file=/nowhere/tls.key"]);
    let said = said(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("--tls-cert-file") && said.contains("/nowhere/tls.crt"), "{said}");
}

fn serve(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("serve").args(arguments).env_clear().output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
