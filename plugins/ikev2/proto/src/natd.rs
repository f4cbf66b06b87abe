//! NAT detection (RFC 7296 §2.23): SHA-1(SPIi ‖ SPIr ‖ address ‖ port).

use std::net::{IpAddr, SocketAddr};

use charon_crypto::CryptoProvider;
use charon_crypto::hash::HashAlgorithm;
use charon_types::id::IkeSpi;

/// The hash of an address and port, as NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP carry it; `None` without SHA-1.
#[must_use]
pub fn hash(
    crypto: &CryptoProvider,
    spi_i: IkeSpi,
    spi_r: Option<IkeSpi>,
    endpoint: SocketAddr,
) -> Option<Vec<u8>> {
    let spi_r = spi_r.map_or([0; 8], IkeSpi::to_be_bytes);
    let port = endpoint.port().to_be_bytes();
    let digest =
        |address: &[u8]| crypto.hash(HashAlgorithm::Sha1, &[&spi_i.to_be_bytes(), &spi_r, address, &port]);
    match endpoint.ip() {
        IpAddr::V4(address) => digest(&address.octets()),
        IpAddr::V6(address) => digest(&address.octets()),
    }
}
