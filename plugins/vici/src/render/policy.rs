//! Traps and shunts as `list-policy` shows them.

use charon_core::policies::ListedPolicy;
use charon_types::services::ServiceNames;
use vici::Message;

use super::child_sa::mode;

/// The section of a policy, named by connection and child.
pub(crate) fn listed(policy: &ListedPolicy, names: &ServiceNames) -> Message {
    let mut message = Message::new();
    message.nest(&format!("{}/{}", policy.connection, policy.child), |section| {
        section.push("child", &*policy.child);
        if let Some(reqid) = policy.reqid {
            section.push("reqid", reqid.to_string());
        }
        section.push("ike", &*policy.connection);
        section.push("mode", mode(policy.mode));
        section.push_list("local-ts", policy.local_ts.iter().map(|ts| ts.display(names).to_string()));
        section.push_list("remote-ts", policy.remote_ts.iter().map(|ts| ts.display(names).to_string()));
    });
    message
}
