//! Advertisements that go out time and again are made once.

use std::net::IpAddr;
use std::sync::Arc;

use crate::checksum::ChecksumForm;
use crate::id::Priority;
use crate::output::Advert;

/// Kinds that are kept: more than one router sends, as priorities and forms change seldom.
const KINDS_MAX: usize = 4;

/// What an advertisement depends on beside the router's definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) priority: Priority,
    pub(crate) form: ChecksumForm,
    pub(crate) source: IpAddr,
}

/// Whether two advertisements of a kind are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// Octet by octet.
    Yes,
    /// Each is signed anew.
    No,
}

/// Those that were made, for the group or for each peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared(Vec<(Kind, Vec<Arc<Advert>>)>);

impl Prepared {
    /// Those of a kind.
    pub(crate) fn adverts(
        &mut self,
        kind: Kind,
        repeats: Repeats,
        make: impl FnOnce() -> Vec<Advert>,
    ) -> &[Arc<Advert>] {
        let known = match repeats {
            Repeats::Yes => self.0.iter().position(|(known, _)| *known == kind),
            Repeats::No => None,
        };
        let at = known.unwrap_or_else(|| {
            if self.0.len() == KINDS_MAX || repeats == Repeats::No {
                self.0.clear();
            }
            self.0.push((kind, make().into_iter().map(Arc::new).collect()));
            self.0.len() - 1
        });
        &self.0[at].1
    }

    /// The definition changed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
