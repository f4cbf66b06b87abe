//! XFRM interfaces: what is sent into one meets the policies with its id.

use charon_core::service::kernel_net::{InterfaceIndex, XfrmInterface};
use charon_types::id::IfId;
use charon_types::kernel_op::KernelError;
use futures_util::TryStreamExt;
use netlink_packet_route::link::{InfoData, InfoXfrm, LinkAttribute, LinkInfo, LinkMessage};
use rtnetlink::packet_route::link::InfoKind;
use rtnetlink::{Handle, LinkMessageBuilder, LinkXfrm};

use crate::error::{errno, refused};
use crate::link;

const EOPNOTSUPP: i32 = 95;

/// Makes one and brings it up. Without a parent it is bound to no link.
pub(crate) async fn add(handle: &Handle, wanted: XfrmInterface) -> Result<InterfaceIndex, KernelError> {
    let mut request = LinkMessageBuilder::<LinkXfrm>::new(&wanted.name).if_id(wanted.if_id.0);
    if let Some(parent) = wanted.parent {
        request = request.dev(parent.0);
    }
    let done = handle.link().add(request.build()).execute().await;
    done.map_err(|error| match errno(&error) {
        Some(EOPNOTSUPP) => KernelError::Unsupported("an XFRM interface"),
        _ => refused("add an XFRM interface", &error),
    })?;
    let index = link::index(handle, &wanted.name).await?;
    link::set_up(handle, index, None).await?;
    Ok(index)
}

/// All that there are.
pub(crate) async fn list(handle: &Handle) -> Result<Vec<(InterfaceIndex, XfrmInterface)>, KernelError> {
    let links = handle.link().get().execute().try_collect::<Vec<_>>().await;
    let links = links.map_err(|error| refused("list the links", &error))?;
    Ok(links.iter().filter_map(read).collect())
}

fn read(link: &LinkMessage) -> Option<(InterfaceIndex, XfrmInterface)> {
    let mut found = XfrmInterface { name: String::new(), if_id: IfId::default(), parent: None };
    let mut is_one = false;
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => found.name.clone_from(name),
            LinkAttribute::LinkInfo(infos) => {
                is_one |= infos.contains(&LinkInfo::Kind(InfoKind::Xfrm));
                for info in infos {
                    let LinkInfo::Data(InfoData::Xfrm(data)) = info else { continue };
                    for one in data {
                        match one {
                            InfoXfrm::IfId(id) => found.if_id = IfId(*id),
                            InfoXfrm::Link(index) => {
                                found.parent = (*index != 0).then_some(InterfaceIndex(*index));
                            }
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
    is_one.then_some((InterfaceIndex(link.header.index), found))
}
