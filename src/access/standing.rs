//! What the requests of a connection have shown of its peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the last request of a connection came from somebody who is known. Set where that is found out, read where a
/// connection has to be closed for want of room.
#[derive(Debug, Clone, Default)]
pub struct Standing(Arc<AtomicBool>);

impl Standing {
    /// Whether it did; before the first request nobody is known.
    pub fn is_recognized(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes down what the latest request has shown.
    pub fn set(&self, recognized: bool) {
        self.0.store(recognized, Ordering::Relaxed);
    }
}
