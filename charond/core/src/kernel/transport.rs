//! What carries messages to the kernel and back: sockets of XFRM netlink and PF_KEY.

use std::io;

/// A socket that does not block, or what stands for one.
pub trait Transport {
    /// Sends one datagram; the answers are there when it returns.
    ///
    /// # Errors
    /// What the system says.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;
    /// Takes one datagram that is there; its length.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if none is there, else what the system says.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A kernel that hears nothing and says this, for fuzzing: datagrams, each behind its length in two octets, the low one first.
#[derive(Debug)]
pub struct ScriptedKernel<'a>(pub &'a [u8]);

impl Transport for ScriptedKernel<'_> {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (len, rest) = self.0.split_first_chunk::<2>().ok_or(io::ErrorKind::WouldBlock)?;
        let len = usize::from(u16::from_le_bytes(*len)).min(rest.len()).min(buffer.len());
        let (datagram, rest) = rest.split_at(len);
        self.0 = rest;
        buffer.iter_mut().zip(datagram).for_each(|(place, octet)| *place = *octet);
        Ok(len)
    }
}
