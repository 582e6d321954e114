//! The clauses of an `Accept` header, in the order in which they are tried.
//!
//! Source: `autoneg.go` of `github.com/munnerz/goautoneg`.

/// `type/subtype;parameter=value;…`
#[derive(Debug)]
pub(super) struct Clause<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: f32,
    parameters: &'a str,
}

/// The parameters that mean something.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    /// Group, version and kind to convert to.
    pub(super) conversion: Option<(&'a str, &'a str, &'a str)>,
    pub(super) stream: &'a str,
    pub(super) server_version: &'a str,
}

/// What is no clause is left out.
pub(super) fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<_> = accept.split(',').filter_map(Clause::parse).collect();
    if clauses.len() > FEW {
        // The order of so many takes too long to find; of those that could be of use, there are few.
        clauses.retain(|clause| clause.reads_json() || clause.covers(super::YAML));
        clauses.truncate(FEW);
    }
    // The order is no order (a wildcard is both before and after a lesser quality), so that the result depends on how
    // it is sorted: Go sorts few elements by insertion.
    for end in 1..clauses.len() {
        for at in (1..=end).rev() {
            if !clauses[at].is_before(&clauses[at - 1]) {
                break;
            }
            clauses.swap(at, at - 1);
        }
    }
    clauses
}

impl<'a> Clause<'a> {
    fn parse(clause: &'a str) -> Option<Self> {
        let clause = clause.trim_matches(' ');
        let (media_type, parameters) = clause.split_once(';').unwrap_or((clause, ""));
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        let (kind, subtype) = match (kind.trim_matches(' '), subtype) {
            ("*", "") => ("*", "*"),
            (_, "") => return None,
            (kind, subtype) if !subtype.contains('/') => (kind, subtype.trim_matches(' ')),
            _ => return None,
        };
        let quality = pairs(parameters).filter(|(key, _)| *key == "q").last();
        // What is no number is the least.
        let quality = quality.map_or(1.0, |(_, quality)| quality.parse().unwrap_or(0.0));
        Some(Self { kind, subtype, quality, parameters })
    }

    /// Whether it is to be tried first.
    fn is_before(&self, other: &Self) -> bool {
        self.quality > other.quality
            || (self.kind != "*" && other.kind == "*")
            || (self.subtype != "*" && other.subtype == "*")
    }

    /// Whether a media type is meant by it.
    pub(super) fn covers(&self, media_type: &str) -> bool {
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        match (self.kind, self.subtype) {
            ("*", "*") => true,
            (_, "*") => self.kind == kind,
            _ => self.kind == kind && self.subtype == subtype,
        }
    }

    /// As [`Clause::covers`] for JSON, where `*/json` counts, too.
    pub(super) fn reads_json(&self) -> bool {
        matches!(self.kind, "application" | "*") && matches!(self.subtype, "json" | "*")
    }

    pub(super) fn is_pretty(&self) -> bool {
        pairs(self.parameters)
            .filter(|(key, _)| *key == "pretty")
            .last()
            .is_some_and(|(_, value)| value == "1")
    }

    pub(super) fn parameters(&self) -> Parameters<'a> {
        let mut found = Parameters::default();
        for (key, value) in pairs(self.parameters) {
            let value = value.trim_matches(' ');
            match key {
                "g" => found.conversion.get_or_insert_default().0 = value,
                "v" => found.conversion.get_or_insert_default().1 = value,
                "as" => found.conversion.get_or_insert_default().2 = value,
                "stream" => found.stream = value,
                "sv" => found.server_version = value,
                _ => {}
            }
        }
        found
    }
}

/// What has no value, or more than one `=`, is left out.
fn pairs(parameters: &str) -> impl Iterator<Item = (&str, &str)> {
    parameters
        .split(';')
        .filter_map(|pair| pair.split_once('=').filter(|(_, value)| !value.is_empty()))
        .filter_map(|(key, value)| match value.split_once('=') {
            None | Some((_, "")) => Some((key.trim_matches(' '), value.trim_end_matches('='))),
            Some(_) => None,
        })
}

/// Up to here, Go sorts by insertion.
const FEW: usize = 12;
