//! Jobs: cheap ones at once, dear ones on a bounded pool.

use std::sync::Arc;

use charon_crypto::Cost;
use charon_types::IkeSpi;
use ikev2_proto::output::JobId;
use ikev2_proto::{Job, JobResult};
use tokio::sync::mpsc;
use tracing::{Instrument, Span};

use crate::shard::Input;
use crate::shared::Shared;

/// Runs a job. A cheap one's result is returned; a dear one's comes as [`Input::Completion`].
pub(crate) fn run(
    shared: &Arc<Shared>,
    cost: Cost,
    job: Job,
    spi: IkeSpi,
    id: JobId,
    inputs: &mpsc::Sender<Input>,
) -> Option<JobResult> {
    if cost == Cost::Cheap {
        return Some(job.run());
    }
    let (shared, inputs, span) = (Arc::clone(shared), inputs.clone(), Span::current());
    let work = async move {
        let Ok(_permit) = shared.job_slots.acquire().await else { return };
        let span = Span::current();
        let result = tokio::task::spawn_blocking(move || span.in_scope(|| job.run())).await;
        if let Ok(result) = result {
            // A shard that has ended awaits nothing.
            drop(inputs.send(Input::Completion { spi, id, result }).await);
        }
    };
    tokio::spawn(work.instrument(span));
    None
}
