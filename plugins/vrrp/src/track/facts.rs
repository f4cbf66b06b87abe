//! The daemon's own facts: whether an IKE_SA or a CHILD_SA is up.

use charon_core::bus::Overflow;
use charon_core::service::ike_engine::SaFilter;
use charon_types::event::Event;
use charon_types::snapshot::{ChildSaState, IkeSaState};
use vrrp_proto::tracking::Health;

use super::{Interest, Listener, POLL, Sources, well_if};

/// Events that may wait: one is enough to look again.
const DEPTH: usize = 4;

pub(super) enum Fact {
    /// An established IKE_SA of the connection.
    Ike(String),
    /// An installed CHILD_SA of that name.
    Child(String),
}

impl Fact {
    fn concerns(&self, event: &Event) -> bool {
        match (self, event) {
            (Self::Ike(name), Event::IkeUpDown(_, sa)) => *sa.name == **name,
            (Self::Child(name), Event::ChildUpDown(_, _, child)) => *child.name == **name,
            _ => false,
        }
    }

    fn filter(&self) -> SaFilter {
        match self {
            Self::Ike(name) => SaFilter { ike: Some(name.clone()), ..SaFilter::default() },
            Self::Child(name) => SaFilter { child: Some(name.clone()), ..SaFilter::default() },
        }
    }
}

/// Looks when something happened that concerns it.
pub(super) async fn watch(fact: Fact, sources: &Sources, listener: &mut Listener) {
    let Some(engine) = &sources.ike else {
        listener.tell(Health::Failed).await;
        return;
    };
    let watched = match &fact {
        Fact::Ike(name) => Fact::Ike(name.clone()),
        Fact::Child(name) => Fact::Child(name.clone()),
    };
    let mut events = sources.bus.subscribe(DEPTH, Overflow::DropOldest, move |event| watched.concerns(event));
    loop {
        let mut chunks = engine.list(fact.filter());
        let mut up = false;
        while let Some(chunk) = chunks.recv().await {
            up |= chunk.iter().any(|sa| match &fact {
                Fact::Ike(_) => sa.state == IkeSaState::Established,
                Fact::Child(name) => sa
                    .children
                    .iter()
                    .any(|child| *child.name == **name && child.state == ChildSaState::Installed),
            });
        }
        if listener.tell(well_if(up)).await == Interest::Lost {
            return;
        }
        // Should an event be missed, the next look is not far.
        if let Ok(None) = tokio::time::timeout(POLL * 10, events.recv()).await {
            return;
        }
    }
}
