//! Tasks that live as long as the process.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// The tasks, by name.
pub(super) struct Background {
    pub(super) stop: CancellationToken,
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

/// A task that is no more, which none should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It came to its end.
    Returned(&'static str),
    /// What it said is for the panic hook to log.
    Panicked(&'static str),
}

impl Background {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { stop, tasks: JoinSet::new(), names: HashMap::new() }
    }

    pub(super) fn start(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits for a task to end.
    pub(super) async fn ended(&mut self) -> Ended {
        let name = |id: Id| self.names.get(&id).copied().unwrap_or_default();
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => Ended::Returned(name(id)),
            Some(Err(error)) => Ended::Panicked(name(error.id())),
            None => std::future::pending().await,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(name) => write!(f, "background task {name:?} has ended"),
            Self::Panicked(name) => write!(f, "background task {name:?} has panicked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_task_that_ends_is_named() {
        let mut background = Background::new(CancellationToken::new());
        background.start("stays", std::future::pending());
        background.start("panics", async { panic!("on purpose") });
        assert_eq!(background.ended().await.to_string(), r#"background task "panics" has panicked"#);
        background.start("ends", async {});
        assert_eq!(background.ended().await.to_string(), r#"background task "ends" has ended"#);
    }
}
