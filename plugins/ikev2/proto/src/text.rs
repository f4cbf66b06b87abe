//! Text for the log.

use std::fmt;

use charon_types::selector::TrafficSelector;

/// Selectors, a space between.
pub(crate) fn selectors(list: &[TrafficSelector]) -> impl fmt::Display {
    SelectorList(list.to_vec())
}

struct SelectorList(Vec<TrafficSelector>);

impl fmt::Display for SelectorList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, selector) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{selector}")?;
        }
        Ok(())
    }
}
