//! Names of flags, fields, metrics and errors: those in the documents are those of the program.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use cert_manager_webhook_cloudflare::cli::Cli;
use cert_manager_webhook_cloudflare::metrics::Metrics;
use cert_manager_webhook_cloudflare::metrics::dns::{Memory, Via};
use cert_manager_webhook_cloudflare::metrics::phase::Phase;
use cert_manager_webhook_cloudflare::metrics::serving::Reload;
use clap::{Arg, Command, CommandFactory};
use prometheus_client::encoding::text::encode;

use crate::pages::{page, pages, spans};

/// With its environment twin and its default.
#[test]
fn every_flag_is_documented() {
    let serve = serve();
    let real: BTreeSet<_> =
        serve.get_arguments().filter(|argument| !argument.is_hide_set()).filter_map(described).collect();
    let configure = page("docs/configure.md");
    let sections = ["Solver", "Propagation", "Serving", "Authentication and authorization", "Log"];
    let rows = sections.iter().flat_map(|section| configure.rows(section));
    let documented: BTreeSet<_> = rows
        .filter(|row| row[0].starts_with("`--"))
        .map(|row| [row[0], row[1], row[2]].map(str::to_owned))
        .map(|[flag, environment, default]| {
            // In words there is what the program finds out by itself.
            let default = if default.starts_with('`') { default } else { String::new() };
            [flag, environment, default]
        })
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn no_flag_is_invented() {
    let serve = serve();
    let mut known: Vec<_> = serve.get_arguments().filter_map(Arg::get_long).collect();
    known.extend(serve.get_arguments().filter_map(Arg::get_all_aliases).flatten());
    let configure = page("docs/configure.md");
    let named = configure.spans().into_iter().filter_map(|span| span.strip_prefix("--"));
    let invented: Vec<_> = named
        .filter(|flag| !CERT_MANAGERS_FLAGS.contains(flag))
        .filter(|flag| match flag.strip_suffix('…') {
            Some(start) => !known.iter().any(|known| known.starts_with(start)),
            None => !known.contains(flag),
        })
        .collect();
    assert!(invented.is_empty(), "{invented:?}");
}

#[test]
fn every_field_of_an_issuer_is_documented() {
    let source = fs::read_to_string("src/issuer.rs").unwrap();
    let configure = page("docs/configure.md");
    let documented = |section| -> BTreeSet<String> {
        configure.rows(section).iter().flat_map(|row| spans(row[0])).map(str::to_owned).collect()
    };
    assert_eq!(documented("Fields"), constant(&source, "CONFIG_FIELDS"));
    let zones = constant(&source, "ZONE_FIELDS");
    let zones: BTreeSet<_> = zones.iter().map(|field| format!("zones[].{field}")).collect();
    assert_eq!(documented("Zones"), zones);
}

/// By the name under which it is scraped, with its type.
#[test]
fn every_metric_is_documented() {
    let real: BTreeSet<_> = scraped();
    let operate = page("docs/operate.md");
    let documented: BTreeSet<_> = operate
        .rows("Metrics")
        .iter()
        .filter(|row| METRICS.iter().any(|prefix| row[0].starts_with(&format!("`{prefix}"))))
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].to_owned()))
        .collect();
    assert_eq!(documented, real);

    // A family that this test does not know of would not be scraped: none is registered that is not documented.
    for name in sources().iter().flat_map(|text| literals(text)).filter(|name| !NO_NAMES.contains(name)) {
        let ends = ["", "_total", "_seconds", "_seconds_total", "_bytes", "_info"]
            .map(|suffix| format!("_{name}{suffix}"));
        let is_documented = documented.iter().any(|(metric, _)| ends.iter().any(|end| metric.ends_with(end)));
        assert!(is_documented, "{name} is registered and not in docs/operate.md");
    }
}

#[test]
fn every_value_of_a_label_is_documented() {
    let operate = page("docs/operate.md");
    let rows = operate.rows("Metrics");
    let labels = rows.iter().filter(|row| row.len() == 2);
    let documented: BTreeSet<_> = labels.flat_map(|row| spans(row[1])).map(str::to_owned).collect();
    let real: BTreeSet<_> = sources().iter().flat_map(|text| variants(text)).collect();
    assert_eq!(documented, real);
}

#[test]
fn no_metric_is_invented() {
    let real = scraped();
    let is_real = |name: &str| {
        real.iter().any(|(metric, kind)| {
            let sample = name.strip_prefix(metric.as_str());
            sample == Some("") || kind == "histogram" && matches!(sample, Some("_bucket" | "_sum" | "_count"))
        })
    };
    for page in pages() {
        for (at, _) in METRICS.iter().flat_map(|prefix| page.text.match_indices(prefix)) {
            let rest = &page.text[at..];
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
            assert!(is_real(&rest[..end]), "{} names {}", page.path.display(), &rest[..end]);
        }
    }
}

#[test]
fn no_error_is_invented() {
    let catalogue = page("docs/errors.md").anchors();
    for page in pages() {
        for (at, mark) in page.text.match_indices("CFW-") {
            let digits: String =
                page.text[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
            let is_known = catalogue.contains(&format!("cfw-{digits}"));
            assert!(is_known, "{} names CFW-{digits}", page.path.display());
        }
    }
}

fn serve() -> Command {
    let mut command = Cli::command();
    command.build();
    command.find_subcommand("serve").unwrap().clone()
}

/// A flag as a row of the table has it; `--help` has no environment twin and is not of interest.
fn described(argument: &Arg) -> Option<[String; 3]> {
    let environment = argument.get_env()?.to_str()?;
    let default = match argument.get_default_values() {
        [one] => format!("`{}`", one.to_str()?),
        _ => String::new(),
    };
    Some([format!("`--{}`", argument.get_long()?), format!("`{environment}`"), default])
}

/// The strings of a constant list in a source.
fn constant(source: &str, name: &str) -> BTreeSet<String> {
    let (_, rest) = source.split_once(&format!("const {name}: &[&str] = &[")).unwrap();
    let (list, _) = rest.split_once("];").unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Each metric as Prometheus knows it, and its type.
fn scraped() -> BTreeSet<(String, String)> {
    let (metrics, registry) = Metrics::new();
    // A family without members is not shown.
    metrics.phases.took(Phase::Access, Duration::ZERO);
    metrics.serving.reloaded(Reload::Success);
    metrics.dns.asked(Via::Udp);
    metrics.dns.remember(Memory::Delays, 0);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types
        .map(|(name, kind)| {
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            (format!("{name}{suffix}"), kind.to_owned())
        })
        .collect()
}

/// Where metrics are made.
fn sources() -> Vec<String> {
    let mut files = vec!["src/metrics.rs".into()];
    files.extend(fs::read_dir("src/metrics").unwrap().map(|entry| entry.unwrap().path()));
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The strings in a source, its tests left out, that can be names of metrics.
fn literals(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let is_name = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(is_name).collect()
}

/// The values of labels: the variants of the enums that are made for it.
fn variants(source: &str) -> Vec<String> {
    let enums = source.split("EncodeLabelValue)]").skip(1).filter_map(|rest| {
        let (_, body) = rest.split_once('{')?;
        body.split_once('}').map(|(variants, _)| variants)
    });
    let names = enums.flat_map(str::lines).filter_map(|line| line.trim().strip_suffix(','));
    names.filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric())).map(str::to_owned).collect()
}

/// Which docs/configure.md has to name, too.
const CERT_MANAGERS_FLAGS: [&str; 2] = ["cluster-issuer-ambient-credentials", "issuer-ambient-credentials"];
const METRICS: [&str; 2] = ["cert_manager_webhook_cloudflare_", "process_"];
/// Prefixes, and a label.
const NO_NAMES: [&str; 4] = ["cert_manager_webhook_cloudflare", "cloudflare", "process", "version"];
