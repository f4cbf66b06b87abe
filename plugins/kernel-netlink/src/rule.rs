//! Routing rules.

use charon_core::service::kernel_net::{Family, FwMark, Inverted, Rule};
use charon_types::kernel_op::KernelError;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use rtnetlink::Handle;

use crate::error::refused;

pub(crate) async fn add(handle: &Handle, rule: Rule) -> Result<(), KernelError> {
    let mut request = handle.rule().add();
    *request.message_mut() = message(rule);
    match request.execute().await.map_err(|error| refused("add a routing rule", &error)) {
        Err(KernelError::Exists) => Ok(()),
        other => other,
    }
}

pub(crate) async fn remove(handle: &Handle, rule: Rule) -> Result<(), KernelError> {
    let done = handle.rule().del(message(rule)).execute().await;
    done.map_err(|error| refused("remove a routing rule", &error))
}

fn message(rule: Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = match rule.family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    };
    message.header.action = RuleAction::ToTable;
    // Tables above 255 do not fit the header.
    message.header.table = u8::try_from(rule.table).unwrap_or(0);
    message.attributes.push(RuleAttribute::Table(rule.table));
    message.attributes.push(RuleAttribute::Priority(rule.priority));
    if let Some(FwMark { invert, value, mask }) = rule.fwmark {
        message.attributes.push(RuleAttribute::FwMark(value));
        message.attributes.push(RuleAttribute::FwMask(mask));
        if invert == Inverted::Yes {
            message.header.flags |= RuleFlags::Invert;
        }
    }
    message
}
