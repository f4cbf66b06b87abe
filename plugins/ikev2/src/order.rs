//! What is asked of an IKE_SA, and who waits for the outcome.

use std::sync::Arc;

use charon_core::log::LogTap;
use charon_core::service::ike_engine::EngineError;
use charon_types::UniqueId;
use charon_types::connection::ChildConfig;
use charon_types::selector::PacketSelectors;
use tokio::sync::oneshot;

/// A command without its token.
pub(crate) enum Ask {
    InitiateChild(Arc<ChildConfig>, Option<PacketSelectors>),
    RekeyChild(UniqueId),
    RekeyIke,
    Reauthenticate,
    TerminateChild(UniqueId),
    TerminateIke(ikev2_proto::ike_sa::Force),
    CheckLiveness,
    Mute,
}

/// Who is told how a command ends, and gets the log lines until then.
#[derive(Default)]
pub(crate) struct Order {
    pub(crate) done: Option<oneshot::Sender<Result<(), EngineError>>>,
    pub(crate) tap: Option<LogTap>,
}

impl Order {
    /// Tells that it could not even begin.
    pub(crate) fn fail(self, error: EngineError) {
        self.finish(Err(error));
    }

    /// Tells the outcome. The tap goes first, so that the stream of lines has ended when the outcome is known.
    pub(crate) fn finish(self, outcome: Result<(), EngineError>) {
        drop(self.tap);
        if let Some(done) = self.done {
            // Whoever asked and has gone needs no answer.
            let _ = done.send(outcome);
        }
    }
}
