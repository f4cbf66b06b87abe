//! The kernel's refusals in the words of [`KernelError`].

use charon_types::kernel_op::KernelError;

const EEXIST: i32 = 17;
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const ENODEV: i32 = 19;
const EADDRNOTAVAIL: i32 = 99;
const EPROTO: i32 = 71;

/// What a failed request means; `what` says what was asked.
pub(crate) fn refused(what: &'static str, error: &rtnetlink::Error) -> KernelError {
    match errno(error) {
        Some(EEXIST) => KernelError::Exists,
        Some(ENOENT | ESRCH | ENODEV | EADDRNOTAVAIL) => KernelError::NotFound,
        Some(errno) => KernelError::Os { what, errno },
        None if matches!(error, rtnetlink::Error::RequestFailed) => KernelError::Gone,
        None => KernelError::Os { what, errno: EPROTO },
    }
}

/// errno, if the kernel gave one.
pub(crate) fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.code.map(|code| code.get().saturating_abs()),
        _ => None,
    }
}
