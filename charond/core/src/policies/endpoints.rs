//! The two hosts between which a trap's SAs will be.

use std::net::IpAddr;
use std::time::Duration;

use charon_types::connection::Connection;
use charon_types::endpoint::EndpointPattern;

use super::InstallError;
use crate::service::KernelNet;

/// How long a name server may take.
const LOOKUP_MAX: Duration = Duration::from_secs(10);

/// The two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hosts {
    pub(super) local: IpAddr,
    pub(super) remote: IpAddr,
}

/// The first remote address that is one, and ours that is configured or that the route asks for.
pub(super) async fn resolve(net: &dyn KernelNet, connection: &Connection) -> Result<Hosts, InstallError> {
    let remote = first(&connection.ike.remote_addrs, |_| true).await.ok_or(InstallError::RemoteUnknown)?;
    let same_family = |address: IpAddr| address.is_ipv4() == remote.is_ipv4();
    let local = match first(&connection.ike.local_addrs, same_family).await {
        Some(local) => local,
        None => net.next_hop(remote, None).await.map_err(|_| InstallError::LocalUnknown)?.source,
    };
    Ok(Hosts { local, remote })
}

async fn first(patterns: &[EndpointPattern], fits: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    for pattern in patterns.iter().filter(|pattern| pattern.is_destination()) {
        let found = match pattern {
            EndpointPattern::Address(address) => Some(*address).filter(|address| fits(*address)),
            EndpointPattern::Name(name) => {
                let lookup = tokio::net::lookup_host((name.as_str(), 0));
                match tokio::time::timeout(LOOKUP_MAX, lookup).await {
                    Ok(Ok(found)) => found.map(|address| address.ip()).find(|address| fits(*address)),
                    Ok(Err(_)) | Err(_) => None,
                }
            }
            EndpointPattern::Any
            | EndpointPattern::AnyIpv4
            | EndpointPattern::AnyIpv6
            | EndpointPattern::Subnet(..)
            | EndpointPattern::Range(..) => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}
