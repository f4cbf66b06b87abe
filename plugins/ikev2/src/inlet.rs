//! From the sockets to the shards: what is too long, for nobody or from a crowd of strangers ends here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use charon_core::counters::Counter;
use charon_types::endpoint::Path;
use ikev2_proto::admission::{Verdict, challenge, shows_cookie};
use tokio::sync::mpsc;
use tracing::debug;

use crate::greylist::Greylist;
use crate::route::{Addressee, Destination, Router};
use crate::settings::Options;
use crate::shard::Datagram;
use crate::shared::Shared;
use crate::socket::{IkeReceiver, Pressure};

/// From the sockets to the shards.
pub(crate) struct Inlet {
    router: Router,
    shared: Arc<Shared>,
    datagrams: Vec<mpsc::Sender<Datagram>>,
    greylist: Greylist,
    /// Whether the last stranger that was looked at had to show a cookie.
    alarmed: AtomicBool,
}

impl Inlet {
    /// For shards that take datagrams there, by index.
    pub(crate) fn new(shared: Arc<Shared>, datagrams: Vec<mpsc::Sender<Datagram>>) -> Self {
        Self {
            router: Router::default(),
            shared,
            datagrams,
            greylist: Greylist::new(),
            alarmed: AtomicBool::new(false),
        }
    }

    /// Whether a request to open an IKE_SA goes no further for now: while many are half open, those who have not shown that
    /// they are where they say get no place in a queue that others need.
    fn is_challenged(&self, options: &Options, path: Path, message: &[u8]) -> bool {
        let now = Instant::now();
        let half_open = self.shared.half_open.look(now, &options.limits, path.remote.ip());
        let alarmed = options.limits.reached(half_open);
        self.alarmed.store(alarmed, Ordering::Relaxed);
        if !alarmed {
            return false;
        }
        let mut cookies = self.shared.cookies.lock();
        let verdict =
            challenge(now, &self.shared.crypto, &options.limits, half_open, &mut cookies, path, message);
        drop(cookies);
        match verdict {
            None | Some(Verdict::Accept(_)) => false,
            Some(Verdict::Answer(answer)) => {
                self.shared.sockets.send_ike(&path, &answer);
                true
            }
            Some(Verdict::Drop(_)) => {
                self.shared.counters.count_refused();
                true
            }
        }
    }
}

impl IkeReceiver for Inlet {
    fn receive(&self, path: Path, message: &[u8], pressure: Pressure) {
        let addressee = Addressee::of(message);
        // First of all: what is dropped here comes by the hundred thousand.
        if let (Pressure::Crowd, Addressee::Anybody(initiator)) = (pressure, addressee)
            && self.alarmed.load(Ordering::Relaxed)
            && !shows_cookie(Instant::now(), &self.shared.cookies.lock(), path, message)
            && !self.greylist.comes_again(path.remote, initiator)
        {
            return self.shared.counters.count_refused();
        }
        let options = self.shared.options.current();
        if message.len() > options.ike.packet_len_max {
            self.shared.counters.count_refused();
            return;
        }
        if !self.shared.usable.contain(path.local.ip()) {
            self.shared.counters.count_refused();
            debug!(target: "NET", "message from {} to {}, an address not in use, dropped", path.remote, path.local);
            return;
        }
        let (shard, destination) = match addressee {
            Addressee::Sa(spi) => match self.shared.space.shard(spi) {
                Some(shard) => (shard, Destination::Sa(spi)),
                None => {
                    self.shared.counted.add(0, Counter::InvalidSpi, None, 1);
                    self.shared.counters.count_unknown_spi();
                    debug!(target: "NET", "SPI {spi} is none of ours, message from {} dropped", path.remote);
                    return;
                }
            },
            Addressee::Anybody(initiator) => {
                if self.is_challenged(&options, path, message) {
                    return;
                }
                let shard = self.shared.space.shard_of_init(self.router.home(initiator));
                (shard, self.router.first_request(message))
            }
            Addressee::Nobody => {
                self.shared.counted.add(0, Counter::Invalid, None, 1);
                return self.shared.counters.count_unknown_spi();
            }
        };
        let datagram = Datagram { path, destination, message: message.to_vec() };
        if self.datagrams[shard].try_send(datagram).is_err() {
            self.shared.counters.count_overload();
        }
    }
}
