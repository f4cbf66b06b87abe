//! Routing rules.

use charon_core::service::kernel_net::{Family, FwMark, Inverted, Rule, RulePackets};
use charon_types::kernel_op::KernelError;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage, RulePortRange};
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
    match rule.table {
        Some(table) => {
            message.header.action = RuleAction::ToTable;
            // Tables above 255 do not fit the header.
            message.header.table = u8::try_from(table).unwrap_or(0);
            message.attributes.push(RuleAttribute::Table(table));
        }
        None => message.header.action = RuleAction::Blackhole,
    }
    let RulePackets { source, destination, protocol, source_ports, destination_ports } = rule.packets;
    if let Some((address, prefix)) = source {
        message.header.src_len = prefix;
        message.attributes.push(RuleAttribute::Source(address));
    }
    if let Some((address, prefix)) = destination {
        message.header.dst_len = prefix;
        message.attributes.push(RuleAttribute::Destination(address));
    }
    if let Some(protocol) = protocol {
        message.attributes.push(RuleAttribute::IpProtocol(i32::from(protocol).into()));
    }
    let range = |(start, end)| RulePortRange { start, end };
    message.attributes.extend(source_ports.map(range).map(RuleAttribute::SourcePortRange));
    message.attributes.extend(destination_ports.map(range).map(RuleAttribute::DestinationPortRange));
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
