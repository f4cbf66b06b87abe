//! Hardware addresses of interfaces.

use std::path::Path;

/// Where the kernel tells them.
const SYSFS: &str = "/sys/class/net";

/// Hardware address of an interface as text in upper case; `None` if it does not exist.
pub(crate) fn of_interface(name: &str) -> Option<String> {
    if name.contains('/') {
        return None;
    }
    let text = std::fs::read_to_string(Path::new(SYSFS).join(name).join("address")).ok()?;
    Some(text.trim().to_ascii_uppercase())
}
