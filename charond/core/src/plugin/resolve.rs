//! From declarations to an order, purely.

use std::collections::BTreeSet;
use std::fmt;

use super::component::{Declared, Feature, Necessity};

/// What would load, in order, and what would not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Indices into the declarations, in load order.
    pub order: Vec<usize>,
    /// What is left out.
    pub skipped: Vec<Skipped>,
}

/// A component left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Index into the declarations.
    pub index: usize,
    /// Why.
    pub reason: SkipReason,
}

/// Why a component is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Nothing provides a hard dependency.
    Missing(Feature),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(feature) => write!(f, "nothing provides {feature}"),
        }
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// Components that wait for each other, each for the next, the last for the first.
    Cycle(Vec<String>),
    /// A critical component would be left out.
    Critical {
        /// Which.
        component: String,
        /// Why.
        reason: SkipReason,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle(path) => write!(f, "plugin components depend on each other: {}", path.join(" -> ")),
            Self::Critical { component, reason } => {
                write!(f, "critical plugin component {component}: {reason}")
            }
        }
    }
}

impl std::error::Error for ResolveError {}

/// Orders components so that each comes after every provider of what it depends on or wants; ties keep the order given.
///
/// # Errors
/// [`ResolveError`] for a cycle, or when a critical component would be left out.
pub fn resolve(declared: &[Declared]) -> Result<Plan, ResolveError> {
    let (present, skipped) = drop_unsatisfied(declared)?;
    let mut order = Vec::with_capacity(present.len());
    let mut waiting = present;
    while !waiting.is_empty() {
        let ready = waiting.iter().copied().find(|&index| blockers(declared, &waiting, index).is_empty());
        match ready {
            Some(index) => {
                waiting.remove(&index);
                order.push(index);
            }
            None => return Err(ResolveError::Cycle(find_cycle(declared, &waiting))),
        }
    }
    Ok(Plan { order, skipped })
}

/// Components whose hard dependencies hold, transitively; and those left out.
fn drop_unsatisfied(declared: &[Declared]) -> Result<(BTreeSet<usize>, Vec<Skipped>), ResolveError> {
    let mut present: BTreeSet<usize> = (0..declared.len()).collect();
    let mut skipped = Vec::new();
    loop {
        let lacking = present.iter().copied().find_map(|index| {
            let missing = declared[index].depends.iter().find(|feature| {
                !present.iter().any(|&other| other != index && declared[other].provides.contains(feature))
            })?;
            Some((index, *missing))
        });
        let Some((index, feature)) = lacking else {
            return Ok((present, skipped));
        };
        let reason = SkipReason::Missing(feature);
        if declared[index].necessity == Necessity::Critical {
            return Err(ResolveError::Critical { component: declared[index].to_string(), reason });
        }
        present.remove(&index);
        skipped.push(Skipped { index, reason });
    }
}

/// Components still waiting that `index` must come after.
fn blockers(declared: &[Declared], waiting: &BTreeSet<usize>, index: usize) -> Vec<usize> {
    let needs = || declared[index].depends.iter().chain(&declared[index].wants);
    waiting
        .iter()
        .copied()
        .filter(|&other| other != index && needs().any(|feature| declared[other].provides.contains(feature)))
        .collect()
}

fn find_cycle(declared: &[Declared], waiting: &BTreeSet<usize>) -> Vec<String> {
    let mut path = Vec::new();
    let mut at = waiting.first().copied();
    while let Some(index) = at {
        if let Some(start) = path.iter().position(|&seen| seen == index) {
            path.push(index);
            return path[start..].iter().map(|&index| declared[index].to_string()).collect();
        }
        path.push(index);
        at = blockers(declared, waiting, index).first().copied();
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::super::component::ServiceId;
    use super::*;

    trait Net {}
    trait Ipsec {}
    trait Sockets {}

    fn service<T: ?Sized + 'static>() -> Feature {
        Feature::Service(ServiceId::of::<T>())
    }

    fn component(
        name: &'static str,
        provides: &[Feature],
        depends: &[Feature],
        wants: &[Feature],
    ) -> Declared {
        Declared {
            plugin: name,
            component: "c",
            provides: provides.to_vec(),
            depends: depends.to_vec(),
            wants: wants.to_vec(),
            necessity: Necessity::Optional,
        }
    }

    fn names<'d>(declared: &'d [Declared], plan: &Plan) -> Vec<&'d str> {
        plan.order.iter().map(|&index| declared[index].plugin).collect()
    }

    #[test]
    fn providers_come_before_those_who_depend_or_want() {
        let declared = [
            component("engine", &[], &[service::<dyn Ipsec>()], &[Feature::Algorithms]),
            component("ipsec", &[service::<dyn Ipsec>()], &[service::<dyn Net>()], &[]),
            component("net", &[service::<dyn Net>()], &[], &[]),
            component("crypto", &[Feature::Algorithms], &[], &[]),
        ];
        let plan = resolve(&declared).unwrap();
        assert_eq!(names(&declared, &plan), ["net", "ipsec", "crypto", "engine"]);
        assert!(plan.skipped.is_empty());
    }

    #[test]
    fn every_alternative_provider_comes_first() {
        let declared = [
            component("xfrm", &[service::<dyn Ipsec>()], &[], &[]),
            component("engine", &[], &[service::<dyn Ipsec>()], &[]),
            component("libipsec", &[service::<dyn Ipsec>()], &[], &[]),
        ];
        assert_eq!(names(&declared, &resolve(&declared).unwrap()), ["xfrm", "libipsec", "engine"]);
    }

    #[test]
    fn a_missing_dependency_takes_its_dependents_along() {
        let declared = [
            component("ipsec", &[service::<dyn Ipsec>()], &[service::<dyn Net>()], &[]),
            component("engine", &[], &[service::<dyn Ipsec>()], &[]),
            component("lone", &[], &[], &[service::<dyn Sockets>()]),
        ];
        let plan = resolve(&declared).unwrap();
        assert_eq!(names(&declared, &plan), ["lone"]);
        assert_eq!(plan.skipped.iter().map(|skipped| skipped.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(plan.skipped[0].reason, SkipReason::Missing(service::<dyn Net>()));
    }

    #[test]
    fn a_critical_component_that_cannot_load_stops_the_start() {
        let mut declared = [component("ipsec", &[], &[service::<dyn Net>()], &[])];
        declared[0].necessity = Necessity::Critical;
        let error = resolve(&declared).unwrap_err();
        assert_eq!(error.to_string(), "critical plugin component ipsec:c: nothing provides Net");
    }

    #[test]
    fn a_cycle_is_reported_with_its_path() {
        let declared = [
            component("a", &[service::<dyn Net>()], &[service::<dyn Ipsec>()], &[]),
            component("b", &[service::<dyn Ipsec>()], &[service::<dyn Net>()], &[]),
        ];
        let error = resolve(&declared).unwrap_err();
        assert_eq!(error, ResolveError::Cycle(vec!["a:c".into(), "b:c".into(), "a:c".into()]));
    }
}
