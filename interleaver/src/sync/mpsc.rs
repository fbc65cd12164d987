//! `std::sync::mpsc`: a queue under a mutex, and a condvar.

use super::{Arc, Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;

pub use std::sync::mpsc::{RecvError, SendError, TryRecvError};

struct Queue<T> {
    values: VecDeque<T>,
    senders: usize,
    has_receiver: bool,
}

struct Channel<T> {
    queue: Mutex<Queue<T>>,
    changed: Condvar,
}

/// The end that sends; may be cloned.
pub struct Sender<T>(Arc<Channel<T>>);

/// The end that receives.
pub struct Receiver<T>(Arc<Channel<T>>);

/// A channel without a bound.
#[must_use]
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let queue = Queue { values: VecDeque::new(), senders: 1, has_receiver: true };
    let channel = Arc::new(Channel { queue: Mutex::new(queue).named("channel"), changed: Condvar::new() });
    (Sender(channel.clone()), Receiver(channel))
}

impl<T> Channel<T> {
    /// A thread that panicked inside left the queue whole: each change of it is one statement.
    #[track_caller]
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(super::PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// Puts a value into the channel.
    ///
    /// # Errors
    /// The value, when the receiver is gone.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut queue = self.0.lock();
        if !queue.has_receiver {
            return Err(SendError(value));
        }
        queue.values.push_back(value);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// Waits for a value.
    ///
    /// # Errors
    /// When there is none, and nobody is left to send one.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        let mut queue = self.0.lock();
        loop {
            if let Some(value) = queue.values.pop_front() {
                return Ok(value);
            }
            if queue.senders == 0 {
                return Err(RecvError);
            }
            queue = self.0.changed.wait(queue).unwrap_or_else(super::PoisonError::into_inner);
        }
    }

    /// A value, if there is one.
    ///
    /// # Errors
    /// When there is none; says whether one may come.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut queue = self.0.lock();
        let nobody = if queue.senders == 0 { TryRecvError::Disconnected } else { TryRecvError::Empty };
        queue.values.pop_front().ok_or(nobody)
    }
}

impl<T> Clone for Sender<T> {
    #[track_caller]
    fn clone(&self) -> Sender<T> {
        self.0.lock().senders += 1;
        Sender(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.senders -= 1;
        if queue.senders == 0 {
            self.0.changed.notify_one();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = {
            let mut queue = self.0.lock();
            queue.has_receiver = false;
            std::mem::take(&mut queue.values)
        };
        drop(left);
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
