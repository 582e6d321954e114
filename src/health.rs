//! Whether this process can answer kube-apiserver: what it still waits for, and whether it is draining.

use std::sync::{Arc, Mutex, PoisonError};

/// Shared by the parts that must be up before requests can be answered, and by the endpoints that tell.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Vec<Check>>>);

#[derive(Debug)]
struct Check {
    name: &'static str,
    missing: Option<String>,
}

impl Health {
    /// Adds a check that is not fulfilled yet, with its one stable reason.
    pub fn expect(&self, name: &'static str, missing: &str) -> Token {
        self.set(name, Some(missing.to_owned()));
        Token { health: self.clone(), name }
    }

    /// The checks by name; a reason where one is not fulfilled.
    pub fn checks(&self) -> Vec<(&'static str, Option<String>)> {
        let checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        checks.iter().map(|check| (check.name, check.missing.clone())).collect()
    }

    /// Whether every check is fulfilled.
    pub fn is_ready(&self) -> bool {
        self.checks().iter().all(|(_, missing)| missing.is_none())
    }

    fn set(&self, name: &'static str, missing: Option<String>) {
        let mut checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match checks.iter_mut().find(|check| check.name == name) {
            Some(check) => check.missing = missing,
            None => checks.push(Check { name, missing }),
        }
    }
}

/// The right to fulfil one check.
#[derive(Debug)]
pub struct Token {
    health: Health,
    name: &'static str,
}

impl Token {
    /// Fulfils the check.
    pub fn ready(&self) {
        self.health.set(self.name, None);
    }

    /// Takes the check back, with a reason.
    pub fn not_ready(&self, missing: &str) {
        self.health.set(self.name, Some(missing.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_check_is() {
        let health = Health::default();
        let (a, b) = (health.expect("a", "a is away"), health.expect("b", "b is away"));
        a.ready();
        assert!(!health.is_ready());
        assert_eq!(health.checks(), [("a", None), ("b", Some("b is away".into()))]);
        b.ready();
        assert!(health.is_ready());
        b.not_ready("draining");
        assert!(!health.is_ready());
    }
}
