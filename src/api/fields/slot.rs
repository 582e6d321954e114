//! Reading a value into its place.

use std::fmt::{self, Write};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use super::{Findings, Key, Kind, Node};

/// A place for a value.
pub(super) struct Slot<'a> {
    pub(super) kind: &'static Kind,
    pub(super) owner: &'static str,
    pub(super) into: &'a mut Node,
    pub(super) findings: &'a mut Findings,
}

impl Slot<'_> {
    fn mismatch(self, value: &str) {
        let Self { kind, owner, findings, .. } = self;
        findings.mismatch.get_or_insert_with(|| {
            // The places in a list are not told there.
            let names = findings.path.split('.').map(|name| name.split('[').next().unwrap_or_default());
            let path = names.collect::<Vec<_>>().join(".");
            format!(
                "json: cannot unmarshal {value} into Go struct field {owner}.{path} of type {}",
                kind.name()
            )
        });
    }
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if let Kind::Anything = self.kind {
            let value = Value::deserialize(deserializer)?;
            *self.into = if value.is_null() { Node::Absent } else { Node::Any(value) };
            return Ok(());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<(), E> {
        match self.kind {
            Kind::Text(_) => *self.into = Node::Text(text),
            _ => self.mismatch("string"),
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        match self.kind {
            Kind::Flag => *self.into = Node::Flag(flag),
            _ => self.mismatch("bool"),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        if !matches!(self.kind, Kind::Number(_)) {
            self.mismatch("number");
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.visit_i64(0)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        match self.kind {
            Kind::Number(_) => self.mismatch(&format!("number {number}")),
            _ => self.mismatch("number"),
        }
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    /// `null` empties what can be absent, and leaves everything else as it is.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if let Kind::Object(_) | Kind::List(_) = self.kind {
            *self.into = Node::Absent;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Kind::List(kind) = self.kind else {
            self.mismatch("array");
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let Self { owner, findings, .. } = self;
        let parent = findings.path.len();
        for index in 0.. {
            // Writing to a String does not fail.
            let _ = write!(findings.path, "[{index}]");
            let element = Slot { kind, owner, into: &mut Node::Absent, findings };
            let more = list.next_element_seed(element)?;
            findings.path.truncate(parent);
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Kind::Object(schema) = self.kind else {
            self.mismatch("object");
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        // A second object of the same key is read into the first.
        let mut nodes = match std::mem::take(self.into) {
            Node::Object(nodes) => nodes,
            _ => schema.fields.iter().map(|_| Node::Absent).collect(),
        };
        let mut seen = 0_u32;
        while let Some(key) = map.next_key::<Key<'_>>()? {
            let Some(index) = schema.fields.iter().position(|(name, _)| key == *name) else {
                self.findings.unknown(&key);
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen & (1 << index) != 0 {
                self.findings.duplicate(&key);
            }
            seen |= 1 << index;
            self.findings.field(&mut map, &schema.fields[index], schema.name, &mut nodes[index])?;
        }
        *self.into = Node::Object(nodes);
        Ok(())
    }
}
