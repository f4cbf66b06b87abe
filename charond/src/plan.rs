//! `--plan`: what would load, in order, and what is skipped and why.

use std::io::Write;

use charon_core::plugin::{Declared, Feature, Registry};

use crate::load_line::Selection;

/// Prints the plan.
pub(crate) fn print(registry: &Registry, selection: &Selection) -> anyhow::Result<()> {
    let plan = registry.plan()?;
    let declared = registry.declared();
    let mut out = std::io::stdout().lock();
    let mut provided: Vec<(Feature, &Declared)> = Vec::new();
    for (position, &index) in plan.order.iter().enumerate() {
        let component = &declared[index];
        writeln!(out, "{:>2}. {component}", position + 1)?;
        let by_other =
            |feature: &Feature| provided.iter().find(|(known, _)| known == feature).map(|(_, by)| *by);
        for feature in &component.provides {
            match by_other(feature).filter(|_| matches!(feature, Feature::Service(_))) {
                Some(first) => writeln!(out, "      provides {feature} if {first} cannot")?,
                None => writeln!(out, "      provides {feature}")?,
            }
        }
        for feature in &component.depends {
            writeln!(out, "      depends on {feature}")?;
        }
        for feature in &component.wants {
            writeln!(out, "      wants {feature}")?;
        }
        provided.extend(component.provides.iter().map(|feature| (*feature, component)));
    }
    for skipped in &plan.skipped {
        writeln!(out, " -  {} is skipped: {}", declared[skipped.index], skipped.reason)?;
    }
    for name in &selection.unknown {
        writeln!(out, " -  {name} is skipped: no plugin of that name")?;
    }
    Ok(())
}
