//! From `tracing` to the hub.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use charon_types::UniqueId;
use charon_types::event::LogRecord;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Span, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::hub::LogHub;
use super::{group_of, level_number};

/// Name of the span of an IKE_SA.
pub const IKE_SA_SPAN: &str = "ike_sa";

/// The span of an IKE_SA: lines within it are about that SA.
#[must_use]
pub fn ike_sa_span(name: &str, unique_id: UniqueId) -> Span {
    tracing::error_span!(target: "IKE", "ike_sa", name, uid = unique_id.0)
}

/// A `tracing` layer that feeds a [`LogHub`].
pub struct LogLayer(LogHub);

impl LogLayer {
    /// A layer for `hub`.
    #[must_use]
    pub const fn new(hub: LogHub) -> Self {
        Self(hub)
    }

    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            return self.0.0.listens();
        }
        self.0.0.enabled(group_of(metadata.target()), level_number(*metadata.level()))
    }
}

/// The IKE_SA that a span is about.
struct IkeSaOf(Arc<str>, UniqueId);

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.takes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.takes(metadata)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != IKE_SA_SPAN {
            return;
        }
        let mut fields = SpanFields::default();
        attributes.record(&mut fields);
        if let (Some(span), Some(name), Some(uid)) = (context.span(id), fields.name, fields.uid) {
            span.extensions_mut().insert(IkeSaOf(name.into(), UniqueId(uid)));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let ike_sa = context.event_scope(event).and_then(|scope| {
            scope.into_iter().find_map(|span| {
                span.extensions().get::<IkeSaOf>().map(|IkeSaOf(name, uid)| (Arc::clone(name), *uid))
            })
        });
        self.0.0.take(LogRecord {
            group: group_of(event.metadata().target()),
            level: level_number(*event.metadata().level()),
            thread: thread_number(),
            ike_sa,
            message: text.0,
        });
    }
}

#[derive(Default)]
struct SpanFields {
    name: Option<String>,
    uid: Option<u32>,
}

impl Visit for SpanFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            self.name = Some(value.to_owned());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "uid" {
            self.uid = u32::try_from(value).ok();
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The message; other fields follow as `name=value`.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let result = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        result.expect("writing to a string cannot fail");
    }
}

/// A small number for the current thread, as strongSwan shows one.
fn thread_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local! { static NUMBER: Cell<u32> = const { Cell::new(0) } }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

#[cfg(test)]
mod tests {
    use charon_types::event::LogGroup;
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::levels::Levels;
    use super::super::sink::Sink;
    use super::*;
    use crate::bus::Bus;

    #[tokio::test]
    async fn a_tap_gets_the_lines_of_its_ike_sa_and_no_others() {
        let hub = LogHub::new(Arc::new(Bus::default()));
        let subscriber = tracing_subscriber::registry().with(LogLayer::new(hub.clone()));
        let (tap, mut lines) = hub.tap(1);
        tap.attach(UniqueId(7));
        tracing::subscriber::with_default(subscriber, || {
            let (ours, other) = (ike_sa_span("gw", UniqueId(7)), ike_sa_span("rw", UniqueId(8)));
            other.in_scope(|| tracing::info!(target: "IKE", "not this"));
            ours.in_scope(|| tracing::debug!(target: "IKE", "too fine"));
            ours.in_scope(|| tracing::info!(target: "CHD", "child {} is up", "net"));
        });
        drop(tap);
        let record = lines.recv().await.unwrap();
        assert_eq!(record.message, "child net is up");
        assert_eq!((record.group, record.level), (LogGroup::Chd, 1));
        assert_eq!(record.ike_sa, Some((Arc::from("gw"), UniqueId(7))));
        assert!(lines.recv().await.is_none());
    }

    #[test]
    fn what_nobody_takes_is_not_enabled() {
        let hub = LogHub::new(Arc::new(Bus::default()));
        assert!(!hub.0.enabled(LogGroup::Ike, 0));
        let mut levels = Levels::all(-1);
        levels.set(LogGroup::Net, 2);
        hub.set_sinks(vec![Sink::stderr(levels)]);
        assert!(hub.0.enabled(LogGroup::Net, 2));
        assert!(!hub.0.enabled(LogGroup::Ike, 0));
        let subscription = hub.subscribe(8);
        assert!(hub.0.enabled(LogGroup::Ike, 1));
        drop(subscription);
        assert!(!hub.0.enabled(LogGroup::Ike, 1));
    }
}
