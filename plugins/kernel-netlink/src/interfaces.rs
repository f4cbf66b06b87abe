//! Which interfaces count.

/// `interfaces_use` and `interfaces_ignore`: names, in which `*` stands for any characters.
#[derive(Clone, Debug, Default)]
pub struct Interfaces {
    used: Vec<String>,
    ignored: Vec<String>,
}

impl Interfaces {
    /// Only those `used`, or, if none is named, all but those `ignored`.
    #[must_use]
    pub const fn new(used: Vec<String>, ignored: Vec<String>) -> Self {
        Self { used, ignored }
    }

    pub(crate) fn count(&self, name: &str) -> bool {
        let named = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name));
        if self.used.is_empty() { !named(&self.ignored) } else { named(&self.used) }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    // The star takes as little as possible, then more: names are short.
    (0..=name.len()).any(|taken| name.get(taken..).is_some_and(|left| matches(rest, left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces(used: &[&str], ignored: &[&str]) -> Interfaces {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Interfaces::new(owned(used), owned(ignored))
    }

    #[test]
    fn used_interfaces_count_before_ignored_ones() {
        assert!(interfaces(&[], &[]).count("eth0"));
        assert!(!interfaces(&[], &["eth0"]).count("eth0"));
        assert!(interfaces(&["eth0"], &["eth0"]).count("eth0"));
        assert!(!interfaces(&["eth0"], &[]).count("eth1"));
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        let docker = interfaces(&[], &["docker*", "*.100", "v*-*x"]);
        for ignored in ["docker", "docker0", "eth0.100", "veth-x", "v-ax"] {
            assert!(!docker.count(ignored), "{ignored}");
        }
        for counted in ["eth0", "dock", "eth0.1000", "vx", "xdocker"] {
            assert!(docker.count(counted), "{counted}");
        }
    }
}
