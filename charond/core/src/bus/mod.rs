//! Events from whoever has them to whoever subscribed, never blocking the publisher.

mod subscriber;

use std::sync::Arc;

use charon_types::event::Event;
use parking_lot::RwLock;

pub use subscriber::{Overflow, Subscriber, Subscription};

/// The bus.
#[derive(Default)]
pub struct Bus {
    subscribers: RwLock<Vec<Arc<Subscriber>>>,
}

impl Bus {
    /// Hands the event to every subscriber that takes its kind. Never blocks.
    pub fn publish(&self, event: &Event) {
        let mut closed = false;
        for subscriber in self.subscribers.read().iter() {
            closed |= subscriber.offer(event).is_closed();
        }
        if closed {
            self.subscribers.write().retain(|subscriber| !subscriber.is_closed());
        }
    }

    /// Subscribes to the events that `takes` says yes to, with room for `depth` of them.
    pub fn subscribe(
        &self,
        depth: usize,
        overflow: Overflow,
        takes: impl Fn(&Event) -> bool + Send + Sync + 'static,
    ) -> Subscription {
        let (subscriber, subscription) = subscriber::pair(depth, overflow, Box::new(takes));
        self.subscribers.write().push(subscriber);
        subscription
    }

    /// Whether anybody takes events like this one; asked before an event that is dear to build.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        !self.subscribers.read().is_empty()
    }
}
