//! What errno of a kernel's IPsec means, by whatever words it was asked.

use charon_types::kernel_op::{AddSa, KernelError};

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;
const ENOSYS: i32 = 38;
const EPROTONOSUPPORT: i32 = 93;
const EOPNOTSUPP: i32 = 95;

/// What a refusal means.
#[must_use]
pub fn refused(what: &'static str, errno: i32) -> KernelError {
    match errno {
        EEXIST => KernelError::Exists,
        ESRCH | ENOENT => KernelError::NotFound,
        errno => KernelError::Os { what, errno },
    }
}

/// Why an SA was refused, with the algorithm if that is what the kernel lacks.
#[must_use]
pub fn refused_sa(sa: &AddSa, errno: i32) -> KernelError {
    match errno {
        ENOSYS | EPROTONOSUPPORT | EOPNOTSUPP => match (&sa.encryption, &sa.integrity) {
            (Some((id, _)), _) => KernelError::UnsupportedEncryption(*id),
            (None, Some((id, _))) => KernelError::UnsupportedIntegrity(*id),
            (None, None) => KernelError::KeyLength,
        },
        errno => refused("add an SA", errno),
    }
}
