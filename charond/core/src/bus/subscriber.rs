//! One subscriber's bounded queue.

use std::collections::VecDeque;
use std::sync::Arc;

use charon_types::event::Event;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What happens when a queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest event goes, and is counted.
    DropOldest,
    /// The subscription ends: a gap would be worse than the end. Its owner sees the end and says so; the bus cannot log, since
    /// log lines travel over it.
    Close,
}

type Takes = Box<dyn Fn(&Event) -> bool + Send + Sync>;

/// The bus's end.
pub struct Subscriber {
    takes: Takes,
    overflow: Overflow,
    depth: usize,
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    dropped: u64,
    closed: bool,
}

/// Whether a subscriber is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Liveness {
    Open,
    Closed,
}

impl Liveness {
    pub(super) fn is_closed(self) -> bool {
        self == Self::Closed
    }
}

/// The subscriber's end. Dropping it ends the subscription.
pub struct Subscription(Arc<Subscriber>);

pub(super) fn pair(depth: usize, overflow: Overflow, takes: Takes) -> (Arc<Subscriber>, Subscription) {
    let subscriber =
        Arc::new(Subscriber { takes, overflow, depth, queue: Mutex::default(), arrived: Notify::new() });
    (Arc::clone(&subscriber), Subscription(subscriber))
}

impl Subscriber {
    pub(super) fn offer(&self, event: &Event) -> Liveness {
        if !(self.takes)(event) {
            return if self.is_closed() { Liveness::Closed } else { Liveness::Open };
        }
        let mut queue = self.queue.lock();
        if queue.closed {
            return Liveness::Closed;
        }
        if queue.events.len() >= self.depth {
            match self.overflow {
                Overflow::DropOldest => {
                    queue.events.pop_front();
                    queue.dropped += 1;
                }
                Overflow::Close => {
                    queue.closed = true;
                    self.arrived.notify_one();
                    return Liveness::Closed;
                }
            }
        }
        queue.events.push_back(event.clone());
        self.arrived.notify_one();
        Liveness::Open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }
}

impl Subscription {
    /// The next event; `None` when an overflow closed the subscription and the queue is empty. Cancel safe.
    pub async fn recv(&mut self) -> Option<Event> {
        loop {
            {
                let mut queue = self.0.queue.lock();
                if let Some(event) = queue.events.pop_front() {
                    return Some(event);
                }
                if queue.closed {
                    return None;
                }
            }
            self.0.arrived.notified().await;
        }
    }

    /// Events lost to [`Overflow::DropOldest`] so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.queue.lock().dropped
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.closed = true;
        queue.events.clear();
    }
}

#[cfg(test)]
mod tests {
    use charon_types::event::{LogGroup, LogRecord};

    use super::super::Bus;
    use super::*;

    fn line(message: &str) -> Event {
        Event::Log(Arc::new(LogRecord {
            group: LogGroup::Dmn,
            level: 1,
            thread: 1,
            ike_sa: None,
            message: message.into(),
        }))
    }

    fn text(event: Option<Event>) -> Option<String> {
        match event? {
            Event::Log(record) => Some(record.message.clone()),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_lossy_subscriber_loses_the_oldest_and_counts_it() {
        let bus = Bus::default();
        let mut subscription = bus.subscribe(2, Overflow::DropOldest, |_| true);
        for message in ["a", "b", "c"] {
            bus.publish(&line(message));
        }
        assert_eq!(text(subscription.recv().await).as_deref(), Some("b"));
        assert_eq!(text(subscription.recv().await).as_deref(), Some("c"));
        assert_eq!(subscription.dropped(), 1);
    }

    #[tokio::test]
    async fn a_subscriber_that_must_keep_all_is_closed_when_it_falls_behind() {
        let bus = Bus::default();
        let mut subscription = bus.subscribe(1, Overflow::Close, |_| true);
        bus.publish(&line("a"));
        bus.publish(&line("b"));
        assert_eq!(text(subscription.recv().await).as_deref(), Some("a"));
        assert!(subscription.recv().await.is_none());
        assert!(!bus.is_watched());
    }

    #[test]
    fn a_dropped_subscription_leaves_the_bus() {
        let bus = Bus::default();
        drop(bus.subscribe(1, Overflow::DropOldest, |_| true));
        bus.publish(&line("a"));
        assert!(!bus.is_watched());
    }
}
