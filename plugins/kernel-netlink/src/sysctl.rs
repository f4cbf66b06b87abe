//! Settings below `/proc/sys/net`, those of the namespace that the process is in.

use std::fs;
use std::io;

use charon_types::kernel_op::KernelError;

const ROOT: &str = "/proc/sys/net";
const EIO: i32 = 5;

pub(crate) fn read(path: &str) -> Result<String, KernelError> {
    let text = fs::read_to_string(full(path)?).map_err(|error| refused("read a sysctl", &error))?;
    Ok(text.trim().to_owned())
}

pub(crate) fn write(path: &str, value: &str) -> Result<(), KernelError> {
    fs::write(full(path)?, value).map_err(|error| refused("set a sysctl", &error))
}

/// Names of interfaces stand in these paths; none may lead elsewhere.
fn full(path: &str) -> Result<String, KernelError> {
    if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(KernelError::NotFound);
    }
    Ok(format!("{ROOT}/{path}"))
}

fn refused(what: &'static str, error: &io::Error) -> KernelError {
    match error.kind() {
        io::ErrorKind::NotFound => KernelError::NotFound,
        _ => KernelError::Os { what, errno: error.raw_os_error().unwrap_or(EIO) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_out_of_the_tree() {
        assert_eq!(read("ipv4/conf/../../../kernel/hostname"), Err(KernelError::NotFound));
        assert_eq!(read("/ipv4/ip_forward"), Err(KernelError::NotFound));
        assert!(read("ipv4/ip_forward").is_ok_and(|value| value == "0" || value == "1"));
    }
}
