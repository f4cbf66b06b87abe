//! Marks and XFRM interface ids: as configured, and as a CHILD_SA has them.

use crate::id::{IfId, Mark};

/// A mark as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarkRule {
    /// This one.
    Fixed(Mark),
    /// `%unique`: one of its own for each CHILD_SA, the same in both directions.
    Unique {
        /// Bits compared.
        mask: u32,
    },
    /// `%unique-dir`: one of its own for each direction of each CHILD_SA.
    UniqueDir {
        /// Bits compared.
        mask: u32,
    },
}

/// A mark to be set on packets, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetMark {
    /// This one.
    Fixed(Mark),
    /// `%same`: the one that policies and SA of that direction have.
    Same {
        /// Bits set.
        mask: u32,
    },
}

/// An XFRM interface id as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IfIdRule {
    /// This one; 0 is none, or that of the connection.
    Fixed(IfId),
    /// `%unique`: one of its own, the same in both directions.
    Unique,
    /// `%unique-dir`: one of its own for each direction.
    UniqueDir,
}

impl Default for MarkRule {
    fn default() -> Self {
        Self::Fixed(Mark::default())
    }
}

impl Default for SetMark {
    fn default() -> Self {
        Self::Fixed(Mark::default())
    }
}

impl Default for IfIdRule {
    fn default() -> Self {
        Self::Fixed(IfId::default())
    }
}

impl SetMark {
    /// The mark that packets get, given the one of the SA's direction.
    #[must_use]
    pub const fn resolve(self, of_direction: Mark) -> Mark {
        match self {
            Self::Fixed(mark) => mark,
            Self::Same { mask } => Mark { value: of_direction.value & mask, mask },
        }
    }
}

/// Marks and interface ids as a child is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TagRules {
    /// Mark of inbound policies.
    pub mark_in: MarkRule,
    /// Mark of outbound policies and SAs.
    pub mark_out: MarkRule,
    /// Inbound interface id.
    pub if_id_in: IfIdRule,
    /// Outbound interface id.
    pub if_id_out: IfIdRule,
}

/// Interface ids of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IfIds {
    /// Inbound.
    pub inbound: IfId,
    /// Outbound.
    pub outbound: IfId,
}

/// Marks and interface ids as a CHILD_SA, a trap or a shunt has them. Those that replace a CHILD_SA keep its.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags {
    /// Mark of inbound policies.
    pub mark_in: Mark,
    /// Mark of outbound policies and SAs.
    pub mark_out: Mark,
    /// Interface ids.
    pub if_ids: IfIds,
}

/// Gives out numbers that no other CHILD_SA of this daemon has. Marks and interface ids count apart, from 1.
pub trait TagNumbers {
    /// For a mark.
    fn mark(&self) -> u32;
    /// For an interface id.
    fn if_id(&self) -> u32;
}

impl IfIdRule {
    /// Whether it is made up for each that has it.
    #[must_use]
    pub const fn is_unique(self) -> bool {
        matches!(self, Self::Unique | Self::UniqueDir)
    }
}

impl TagRules {
    /// Whether one of them is made up for each CHILD_SA.
    #[must_use]
    pub fn are_unique(&self) -> bool {
        [self.mark_in, self.mark_out].iter().any(|rule| !matches!(rule, MarkRule::Fixed(_)))
            || [self.if_id_in, self.if_id_out].iter().any(|rule| rule.is_unique())
    }

    /// What they come to. Interface ids that say nothing are `inherited` from the connection.
    #[must_use]
    pub fn resolve(&self, inherited: IfIds, numbers: &dyn TagNumbers) -> Tags {
        let (mark_in, mark_out) = self.marks(numbers);
        let own = resolve_if_ids(self.if_id_in, self.if_id_out, numbers);
        let or = |own: IfId, inherited: IfId| if own.0 == 0 { inherited } else { own };
        let if_ids = IfIds {
            inbound: or(own.inbound, inherited.inbound),
            outbound: or(own.outbound, inherited.outbound),
        };
        Tags { mark_in, mark_out, if_ids }
    }

    fn marks(&self, numbers: &dyn TagNumbers) -> (Mark, Mark) {
        let by_direction =
            [self.mark_in, self.mark_out].iter().any(|rule| matches!(rule, MarkRule::UniqueDir { .. }));
        let mut shared = None;
        let mut mark = |rule: MarkRule| match rule {
            MarkRule::Fixed(mark) => mark,
            MarkRule::Unique { mask } | MarkRule::UniqueDir { mask } => {
                let number =
                    if by_direction { numbers.mark() } else { *shared.get_or_insert_with(|| numbers.mark()) };
                Mark { value: number & mask, mask }
            }
        };
        (mark(self.mark_in), mark(self.mark_out))
    }
}

/// What interface ids come to.
#[must_use]
pub fn resolve_if_ids(inbound: IfIdRule, outbound: IfIdRule, numbers: &dyn TagNumbers) -> IfIds {
    let by_direction = [inbound, outbound].contains(&IfIdRule::UniqueDir);
    let mut shared = None;
    let mut id = |rule: IfIdRule| match rule {
        IfIdRule::Fixed(id) => id,
        IfIdRule::Unique | IfIdRule::UniqueDir if by_direction => IfId(numbers.if_id()),
        IfIdRule::Unique | IfIdRule::UniqueDir => IfId(*shared.get_or_insert_with(|| numbers.if_id())),
    };
    IfIds { inbound: id(inbound), outbound: id(outbound) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Default)]
    struct Counting {
        marks: Cell<u32>,
        if_ids: Cell<u32>,
    }

    fn next(cell: &Cell<u32>) -> u32 {
        cell.set(cell.get() + 1);
        cell.get()
    }

    impl TagNumbers for Counting {
        fn mark(&self) -> u32 {
            next(&self.marks)
        }

        fn if_id(&self) -> u32 {
            next(&self.if_ids)
        }
    }

    const fn mark(value: u32) -> Mark {
        Mark { value, mask: u32::MAX }
    }

    #[test]
    fn unique_marks_are_the_same_in_both_directions_and_others_for_the_next_child() {
        let numbers = Counting::default();
        let unique = MarkRule::Unique { mask: u32::MAX };
        let rules = TagRules { mark_in: unique, mark_out: unique, ..TagRules::default() };
        let (first, second) =
            (rules.resolve(IfIds::default(), &numbers), rules.resolve(IfIds::default(), &numbers));
        assert_eq!((first.mark_in, first.mark_out), (mark(1), mark(1)));
        assert_eq!((second.mark_in, second.mark_out), (mark(2), mark(2)));
    }

    #[test]
    fn one_direction_may_be_fixed_and_unique_dir_tells_directions_apart() {
        let numbers = Counting::default();
        let rules = TagRules {
            mark_in: MarkRule::Fixed(mark(42)),
            mark_out: MarkRule::Unique { mask: 0xff },
            if_id_in: IfIdRule::UniqueDir,
            if_id_out: IfIdRule::UniqueDir,
        };
        let tags = rules.resolve(IfIds::default(), &numbers);
        assert_eq!((tags.mark_in, tags.mark_out), (mark(42), Mark { value: 1, mask: 0xff }));
        assert_eq!(tags.if_ids, IfIds { inbound: IfId(1), outbound: IfId(2) });
        let by_direction = MarkRule::UniqueDir { mask: u32::MAX };
        let rules = TagRules { mark_in: by_direction, mark_out: by_direction, ..TagRules::default() };
        let tags = rules.resolve(IfIds::default(), &numbers);
        assert_eq!((tags.mark_in, tags.mark_out), (mark(2), mark(3)));
    }

    #[test]
    fn interface_ids_come_from_the_connection_unless_the_child_has_some() {
        let numbers = Counting::default();
        let inherited = IfIds { inbound: IfId(7), outbound: IfId(8) };
        let rules = TagRules { if_id_in: IfIdRule::Fixed(IfId(5)), ..TagRules::default() };
        assert_eq!(rules.resolve(inherited, &numbers).if_ids, IfIds { inbound: IfId(5), outbound: IfId(8) });
        let same = SetMark::Same { mask: 0xf };
        assert_eq!(same.resolve(mark(0x12)), Mark { value: 2, mask: 0xf });
    }
}
