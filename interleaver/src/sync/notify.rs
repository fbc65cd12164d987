//! loom's `Notify`: a token that one thread waits for and others give.

use crate::engine::handle::Handle;
use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::step_on;
use std::panic::Location;

/// A notification that is kept until somebody waits for it. Several are one.
pub struct Notify {
    token: Handle,
}

impl Notify {
    /// Nobody has notified.
    #[must_use]
    #[track_caller]
    pub fn new() -> Notify {
        Notify { token: Handle::new(ObjKind::Parker, 0, Location::caller()) }
    }

    /// Lets a `wait` return, now or later.
    #[track_caller]
    pub fn notify(&self) {
        step_on(&self.token, Kind::Unpark, 0, 0);
    }

    /// Waits for a notification.
    #[track_caller]
    pub fn wait(&self) {
        step_on(&self.token, Kind::Park, 0, 0);
    }
}

impl Default for Notify {
    #[track_caller]
    fn default() -> Notify {
        Notify::new()
    }
}

impl std::fmt::Debug for Notify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notify").finish_non_exhaustive()
    }
}
