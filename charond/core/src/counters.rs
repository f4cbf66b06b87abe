//! How many messages and rekeyings there were: of all connections together, and of each.
//!
//! Whoever counts does so in a stripe of its own, so that nobody waits for anybody; whoever asks adds the stripes up.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

macro_rules! counters {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter {
            $(#[doc = $doc] $variant,)*
        }

        impl Counter {
            /// All of them, in strongSwan's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// strongSwan's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

counters! {
    IkeRekeyInit "ike-rekey-init" "IKE_SAs that we rekeyed.";
    IkeRekeyResp "ike-rekey-resp" "IKE_SAs that the peer rekeyed.";
    ChildRekey "child-rekey" "CHILD_SAs rekeyed.";
    Invalid "invalid" "Messages that cannot be understood.";
    InvalidSpi "invalid-spi" "Messages for no IKE_SA.";
    IkeInitInReq "ike-init-in-req" "IKE_SA_INIT requests received.";
    IkeInitInResp "ike-init-in-resp" "IKE_SA_INIT responses received.";
    IkeInitOutReq "ike-init-out-req" "IKE_SA_INIT requests sent.";
    IkeInitOutResp "ike-init-out-resp" "IKE_SA_INIT responses sent.";
    IkeAuthInReq "ike-auth-in-req" "IKE_AUTH requests received.";
    IkeAuthInResp "ike-auth-in-resp" "IKE_AUTH responses received.";
    IkeAuthOutReq "ike-auth-out-req" "IKE_AUTH requests sent.";
    IkeAuthOutResp "ike-auth-out-resp" "IKE_AUTH responses sent.";
    CreateChildInReq "create-child-in-req" "CREATE_CHILD_SA requests received.";
    CreateChildInResp "create-child-in-resp" "CREATE_CHILD_SA responses received.";
    CreateChildOutReq "create-child-out-req" "CREATE_CHILD_SA requests sent.";
    CreateChildOutResp "create-child-out-resp" "CREATE_CHILD_SA responses sent.";
    InfoInReq "info-in-req" "INFORMATIONAL requests received.";
    InfoInResp "info-in-resp" "INFORMATIONAL responses received.";
    InfoOutReq "info-out-req" "INFORMATIONAL requests sent.";
    InfoOutResp "info-out-resp" "INFORMATIONAL responses sent.";
}

/// A value for each counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterSet([u64; Counter::ALL.len()]);

impl CounterSet {
    /// The value of one.
    #[must_use]
    pub const fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    fn add(&mut self, counter: Counter, count: u64) {
        let value = &mut self.0[counter as usize];
        *value = value.saturating_add(count);
    }

    fn add_all(&mut self, other: &Self) {
        for counter in Counter::ALL {
            self.add(*counter, other.get(*counter));
        }
    }
}

/// All counters.
#[derive(Debug, Default)]
pub struct Counters([Mutex<Stripe>; STRIPES]);

/// What was counted in one place.
#[derive(Debug, Default)]
struct Stripe {
    global: CounterSet,
    connections: HashMap<Arc<str>, CounterSet>,
}

impl Counters {
    /// Counts, for all and for a connection if it is known. `stripe` is a number of whoever counts.
    pub fn add(&self, stripe: usize, counter: Counter, connection: Option<&Arc<str>>, count: u64) {
        let mut stripe = self.0[stripe % STRIPES].lock();
        stripe.global.add(counter, count);
        let Some(name) = connection else { return };
        match stripe.connections.get_mut(name) {
            Some(set) => set.add(counter, count),
            None => stripe.connections.entry(Arc::clone(name)).or_default().add(counter, count),
        }
    }

    /// Of all together.
    #[must_use]
    pub fn global(&self) -> CounterSet {
        let mut sum = CounterSet::default();
        for stripe in &self.0 {
            sum.add_all(&stripe.lock().global);
        }
        sum
    }

    /// Of one connection; `None` if nothing was counted.
    #[must_use]
    pub fn of(&self, connection: &str) -> Option<CounterSet> {
        let mut sum = None;
        for stripe in &self.0 {
            if let Some(set) = stripe.lock().connections.get(connection) {
                sum.get_or_insert_with(CounterSet::default).add_all(set);
            }
        }
        sum
    }

    /// Of every connection for which something was counted, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(Arc<str>, CounterSet)> {
        let mut sums: HashMap<Arc<str>, CounterSet> = HashMap::new();
        for stripe in &self.0 {
            for (name, set) in &stripe.lock().connections {
                sums.entry(Arc::clone(name)).or_default().add_all(set);
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by(|(a, _), (b, _)| a.cmp(b));
        sums
    }

    /// Begins anew with what is counted for all together.
    pub fn reset_global(&self) {
        self.0.iter().for_each(|stripe| stripe.lock().global = CounterSet::default());
    }

    /// Forgets what was counted for a connection.
    pub fn reset(&self, connection: &str) {
        for stripe in &self.0 {
            stripe.lock().connections.remove(connection);
        }
    }

    /// Forgets what was counted for connections.
    pub fn reset_all(&self) {
        self.0.iter().for_each(|stripe| stripe.lock().connections.clear());
    }
}

/// As many as there may be shards.
const STRIPES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_add_up_and_connections_are_counted_for_all_as_well() {
        let counters = Counters::default();
        let name: Arc<str> = "gw".into();
        counters.add(0, Counter::ChildRekey, Some(&name), 1);
        counters.add(5, Counter::ChildRekey, Some(&name), 2);
        counters.add(5, Counter::InvalidSpi, None, 1);
        assert_eq!(counters.of("gw").unwrap().get(Counter::ChildRekey), 3);
        assert_eq!(counters.global().get(Counter::ChildRekey), 3);
        assert_eq!(counters.global().get(Counter::InvalidSpi), 1);
        assert_eq!(counters.of("other"), None);
        assert_eq!(counters.all().len(), 1);
    }

    #[test]
    fn resetting_connections_leaves_the_sum_and_the_reverse() {
        let counters = Counters::default();
        for name in ["a", "b"] {
            counters.add(1, Counter::InfoInReq, Some(&name.into()), 1);
        }
        counters.reset("a");
        assert_eq!((counters.of("a"), counters.of("b").is_some()), (None, true));
        counters.reset_global();
        assert_eq!(counters.global(), CounterSet::default());
        assert!(counters.of("b").is_some());
        counters.add(2, Counter::InfoInReq, None, 4);
        counters.reset_all();
        assert_eq!(counters.all(), []);
        assert_eq!(counters.global().get(Counter::InfoInReq), 4);
    }
}
