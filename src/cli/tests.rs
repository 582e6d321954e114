use clap::CommandFactory;

use super::*;

const REQUIRED: [&str; 4] = ["x", "serve", "--tls-cert-file=a", "--tls-private-key-file=b"];

fn parse(more: &[&str]) -> Result<Serve, clap::Error> {
    let Command::Serve(serve) = Cli::try_parse_from(REQUIRED.iter().chain(more))?.command;
    Ok(*serve)
}

#[test]
fn the_flags_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_setting_has_an_environment_twin() {
    let mut command = Cli::command();
    command.build();
    let serve = command.find_subcommand("serve").unwrap();
    let without: Vec<_> = serve
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && argument.get_env().is_none())
        .map(|argument| argument.get_id().as_str())
        .collect();
    assert_eq!(without, ["help"]);
}

#[test]
fn an_error_names_its_flag() {
    for (flag, value) in [
        ("--group-name", "Group"),
        ("--solver-name", "CloudFlare"),
        ("--owner-id", "a b"),
        ("--metrics-bind-address", "9402"),
        ("--propagation-timeout", "40"),
        ("--propagation-check", "maybe"),
        ("--propagation-doh-servers", "1.1.1.1:53"),
        ("--bind-address", "localhost"),
        ("--dns01-recursive-nameservers", "ftp://one.one.one.one"),
        ("--tls-min-version", "VersionTLS11"),
        ("--tls-cipher-suites", "TLS_RSA_WITH_RC4_128_SHA"),
        ("--tls-sni-cert-key", "a.crt"),
        ("--disable-http2-serving", "maybe"),
        ("--requestheader-group-headers", " "),
        ("--authorization-always-allow-paths", "/healthz,/apis"),
        ("--logging-format", "xml"),
        ("--v", "-1"),
    ] {
        let error = parse(&[&format!("{flag}={value}")]).unwrap_err().to_string();
        assert!(error.contains(flag) || flag == "--logging-format", "{error}");
    }
}

#[test]
fn what_is_not_known_is_fatal() {
    for unknown in [
        "--etcd-servers=x",
        "--feature-gates=A=true",
        "--anonymous-auth=false",
        "--authorization-mode=x",
        "x",
    ] {
        assert!(parse(&[unknown]).is_err(), "{unknown}");
    }
}

/// As the manifests of other webhooks have them, and as `pflag` takes them.
#[test]
fn the_flags_of_the_original_are_taken() {
    let serve = parse(&[
        "-v=2",
        "--secure-port",
        "8443",
        "--audit-log-path=-",
        "--audit-log-maxage",
        "30",
        "--profiling=false",
        "--contention-profiling",
        "--logtostderr",
        "--log_dir=x",
        "--authorization-always-allow-paths=/healthz,/metrics",
        "--authorization-always-allow-paths=/readyz/*",
        "--disable-http2-serving=true",
        "--logging-format=json",
    ])
    .unwrap();
    let ignored =
        ["contention-profiling", "logtostderr", "profiling", "audit-log-maxage", "audit-log-path", "log_dir"];
    assert_eq!(serve.legacy.ignored, ignored);
    assert_eq!(serve.access.authorization_always_allow_paths.len(), 3);
    assert!(serve.serving.disable_http2_serving);
    assert_eq!((serve.log.filter(), serve.log.log_format), ("info", log::LogFormat::Json));
    assert!(!parse(&["--disable-http2-serving=false"]).unwrap().serving.disable_http2_serving);
    assert_eq!(parse(&["--v=4"]).unwrap().log.filter(), "debug");
    assert_eq!(parse(&["-v", "10"]).unwrap().log.filter(), "trace");
    assert_eq!(parse(&["-v", "10", "--log-level=warn"]).unwrap().log.filter(), "warn");
}

#[test]
fn a_certificate_is_named_by_its_files_or_by_its_directory() {
    let files = |arguments: &[&str]| {
        let Command::Serve(serve) = Cli::try_parse_from(["x", "serve"].iter().chain(arguments))
            .map_err(|error| error.to_string())?
            .command;
        Ok::<_, String>(serve.serving.certificate_files())
    };
    assert_eq!(files(&["--cert-dir=/d"]), Ok(("/d/apiserver.crt".into(), "/d/apiserver.key".into())));
    let both = ["--cert-dir=/d", "--tls-cert-file=a", "--tls-private-key-file=b"];
    assert_eq!(files(&both), Ok(("a".into(), "b".into())));
    assert!(files(&[]).unwrap_err().contains("--tls-cert-file"));
    assert!(files(&["--tls-cert-file=a"]).unwrap_err().contains("--tls-private-key-file"));
    assert!(files(&["--cert-dir=/d", "--tls-private-key-file=b"]).unwrap_err().contains("--tls-cert-file"));
}

#[test]
fn nobody_is_looked_up_only_where_the_records_have_an_owner() {
    let skip = "--authentication-skip-lookup";
    assert!(parse(&[skip]).unwrap_err().to_string().contains("--owner-id"));
    assert!(parse(&[skip, "--owner-id=me"]).unwrap().access.given().skip_lookup);
    assert!(!parse(&["--authentication-skip-lookup=false"]).unwrap().access.given().skip_lookup);
}
