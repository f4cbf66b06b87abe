//! Listings: as many events as there is to tell, to the client that asked.
//!
//! A client that lists much must not delay others, nor the packets that the same threads carry, and many that list at the same
//! time no more than one. So one listing at a time makes events, until its client's queue is full; then whatever else is ready
//! comes first, and after that the listing that has waited longest.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;
use vici::Message;

use crate::emit::{Emitter, Gone};
use crate::event::EventKind;

/// Whose turn it is to make events. First come, first served.
pub(crate) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

/// The events of one listing.
pub(crate) struct Listing<'s> {
    emitter: &'s Emitter,
    turns: &'s Turns,
    kind: EventKind,
    message: Message,
    turn: Option<SemaphorePermit<'s>>,
}

impl<'s> Listing<'s> {
    /// A listing of events of that kind. `None` if the client does not want them.
    pub(crate) fn new(kind: EventKind, emitter: &'s Emitter, turns: &'s Turns) -> Option<Self> {
        let listing = Self { emitter, turns, kind, message: Message::new(), turn: None };
        emitter.wants(kind).then_some(listing)
    }

    /// Sends an event with what `fill` pushes, when it is this listing's turn and the client has room.
    pub(crate) async fn event(&mut self, fill: impl FnOnce(&mut Message)) -> Result<(), Gone> {
        if self.turn.is_none() {
            self.turn = Some(self.turns.0.acquire().await.expect("turns do not end"));
        }
        self.message.clear();
        fill(&mut self.message);
        for _ in 0..self.emitter.registrations(self.kind) {
            loop {
                let room = self.emitter.room();
                if self.emitter.try_send(self.kind, &self.message)? {
                    break;
                }
                // Others are served and what waits is written before the next listing makes more.
                if self.turn.is_some() {
                    yield_now().await;
                    self.pause();
                }
                room.await;
            }
        }
        Ok(())
    }

    /// Lets others make events while this listing waits for something to tell.
    pub(crate) fn pause(&mut self) {
        self.turn = None;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write;
    use std::rc::Rc;
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;
    use tokio::task::LocalSet;

    use super::*;
    use crate::link::Link;
    use crate::outbound::ROOM;
    use crate::session::Step;

    const CLIENTS: usize = 64;
    const EVENTS: usize = 1_000;
    const EVENT_LEN: usize = 1_000;

    /// A client that registered for `list-conn` and reads what it is sent as soon as others have had their turn.
    fn reading_client(events: &LocalSet) -> Emitter {
        let link = Arc::new(Link::default());
        link.session().handle_input(b"\0\0\0\x0b\x03\x09list-conn");
        assert!(matches!(link.session().poll(), Some(Step::Subscribe(EventKind::ListConn))));
        let reader = Arc::clone(&link);
        events.spawn_local(async move {
            loop {
                yield_now().await;
                let waiting = reader.session().output().len();
                reader.session().sent(waiting);
                reader.room.notify_waiters();
            }
        });
        Emitter::new(link)
    }

    #[test]
    fn a_packet_waits_until_one_listing_has_filled_its_queue_and_not_for_all_of_them() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(LocalSet::new().run_until(async {
            let events = LocalSet::new();
            let (sender, receiver) = std::os::unix::net::UnixStream::pair().unwrap();
            receiver.set_nonblocking(true).unwrap();
            let mut receiver = tokio::net::UnixStream::from_std(receiver).unwrap();
            // How many events were made when the packet under way was sent; none is under way.
            let (made, sent_at, longest) =
                (Rc::new(Cell::new(0)), Rc::new(Cell::new(None)), Rc::new(Cell::new(0)));
            let arrivals = {
                let (made, sent_at, longest) = (Rc::clone(&made), Rc::clone(&sent_at), Rc::clone(&longest));
                async move {
                    while receiver.read_u8().await.is_ok() {
                        let before: usize = sent_at.take().expect("one was sent");
                        longest.set(longest.get().max(made.get() - before));
                    }
                }
            };
            events.spawn_local(arrivals);
            let turns = Rc::new(Turns::default());
            let mut listings = Vec::new();
            for _ in 0..CLIENTS {
                let (emitter, turns) = (reading_client(&events), Rc::clone(&turns));
                let (made, sent_at) = (Rc::clone(&made), Rc::clone(&sent_at));
                let mut sender = sender.try_clone().unwrap();
                listings.push(events.spawn_local(async move {
                    let mut listing = Listing::new(EventKind::ListConn, &emitter, &turns).unwrap();
                    for _ in 0..EVENTS {
                        let fill = |message: &mut Message| {
                            message.push("k", vec![0; EVENT_LEN]);
                            made.set(made.get() + 1);
                            if sent_at.get().is_none() {
                                sent_at.set(Some(made.get()));
                                sender.write_all(b"p").unwrap();
                            }
                        };
                        listing.event(fill).await.unwrap();
                    }
                }));
            }
            events
                .run_until(async {
                    for listing in listings {
                        listing.await.unwrap();
                    }
                })
                .await;
            assert_eq!(made.get(), CLIENTS * EVENTS);
            assert!((1..=ROOM / EVENT_LEN + 2).contains(&longest.get()), "{} events", longest.get());
        }));
    }
}
