//! Decoding by field, with what is to be said about the fields.
//!
//! As `sigs.k8s.io/json` does it: keys are compared case by case, the last of several equal ones counts, an unknown or
//! duplicate field and one of the wrong type are found on the way. One pass, over JSON or YAML.

use serde::de::MapAccess;
use serde_json::Value;

use super::quote::quote;

mod key;
mod slot;

pub(super) use key::Key;
use slot::Slot;

/// What a field holds.
#[derive(Debug)]
pub(super) enum Kind {
    /// A string; the name of its type in Go.
    Text(&'static str),
    Flag,
    /// An integer; the name of its type in Go.
    Number(&'static str),
    Anything,
    Object(&'static Schema),
    List(&'static Kind),
}

impl Kind {
    /// Its type in Go.
    fn name(&self) -> String {
        match self {
            Self::Text(name) | Self::Number(name) => (*name).to_owned(),
            Self::Flag => "bool".to_owned(),
            Self::Anything => "any".to_owned(),
            Self::Object(schema) => schema.qualified.to_owned(),
            Self::List(kind) => format!("[]{}", kind.name()),
        }
    }
}

/// The fields of an object.
#[derive(Debug)]
pub(super) struct Schema {
    /// Its type in Go, without and with its package.
    pub(super) name: &'static str,
    pub(super) qualified: &'static str,
    pub(super) fields: &'static [(&'static str, Kind)],
}

/// A field's content, where it is of use.
#[derive(Debug, Default)]
pub(super) enum Node {
    /// It is not there, or `null`.
    #[default]
    Absent,
    Text(String),
    Flag(bool),
    Any(Value),
    /// By the order of the schema.
    Object(Vec<Node>),
}

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Unknown and duplicate fields, each once.
    pub(super) strict: Vec<String>,
    /// The first field of the wrong type.
    pub(super) mismatch: Option<String>,
    /// Where we are.
    path: String,
}

impl Findings {
    /// A field that there is not.
    pub(super) fn unknown(&mut self, key: &str) {
        self.stray("unknown", key);
    }

    /// A field that was there before.
    pub(super) fn duplicate(&mut self, key: &str) {
        self.stray("duplicate", key);
    }

    fn stray(&mut self, what: &str, key: &str) {
        // `saveStrictError`
        if self.strict.len() >= MOST {
            return;
        }
        let dot = if self.path.is_empty() { "" } else { "." };
        let text = format!("{what} field {}", quote(&[&self.path, dot, key].concat()));
        if !self.strict.contains(&text) {
            self.strict.push(text);
        }
    }

    /// Reads one field of `owner`.
    pub(super) fn field<'de, A: MapAccess<'de>>(
        &mut self,
        map: &mut A,
        (name, kind): &'static (&'static str, Kind),
        owner: &'static str,
        into: &mut Node,
    ) -> Result<(), A::Error> {
        let parent = self.path.len();
        if parent > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        map.next_value_seed(Slot { kind, owner, into, findings: self })?;
        self.path.truncate(parent);
        Ok(())
    }
}

/// `saveStrictError` keeps no more.
const MOST: usize = 100;
