//! Which of the offered selectors are taken (RFC 7296 §2.9).

use super::TrafficSelector;

/// Most selectors in a result: a TS payload counts them in one octet.
pub const NARROWED_MAX: usize = 255;

/// What both sides allow: the intersections of each configured with each offered selector, in the order of the
/// configuration, without those that another one of them holds. Empty means TS_UNACCEPTABLE.
///
/// At most [`NARROWED_MAX`] selectors result; what the bound cuts off is not protected, hence not sent in clear either,
/// because policies follow the result. What fits of the first offered selector is never cut off: it may be the packet that
/// asked for the CHILD_SA.
#[must_use]
pub fn narrow(configured: &[TrafficSelector], offered: &[TrafficSelector]) -> Vec<TrafficSelector> {
    let mut taken: Vec<TrafficSelector> = Vec::new();
    for ours in configured {
        for (index, theirs) in offered.iter().enumerate() {
            let Some(common) = ours.intersect(theirs) else { continue };
            if taken.iter().any(|held| held.contains(&common)) {
                continue;
            }
            taken.retain(|held| !common.contains(held));
            if taken.len() == NARROWED_MAX && index == 0 {
                taken.pop();
            }
            if taken.len() < NARROWED_MAX {
                taken.push(common);
            }
        }
    }
    taken
}

/// Whether each of `inner` lies within one of `outer`: an answer that this denies is wider than what was offered.
#[must_use]
pub fn covers(outer: &[TrafficSelector], inner: &[TrafficSelector]) -> bool {
    inner.iter().all(|selector| outer.iter().any(|holder| holder.contains(selector)))
}
