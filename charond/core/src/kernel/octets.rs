//! Octets of kernel messages, written to the end and read from the front: what XFRM netlink and PF_KEY have in common.

use zeroize::Zeroize;

/// A message or a part of one while it is written. Wiped when dropped: it may hold keys.
pub struct OctetWriter(Vec<u8>);

impl Drop for OctetWriter {
    fn drop(&mut self) {
        // What was written and no more: nothing is ever taken out again, and most messages are far shorter than their room.
        self.0.as_mut_slice().zeroize();
    }
}

impl std::ops::Deref for OctetWriter {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl OctetWriter {
    /// Room for every message that is written, so that no key stays behind in a smaller buffer.
    const CAPACITY: usize = 2048;

    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Self::CAPACITY)
    }

    /// Nothing yet, with room for so many octets.
    #[must_use]
    pub fn with_capacity(octets: usize) -> Self {
        Self(Vec::with_capacity(octets))
    }

    /// Appends these.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends so many zeros.
    pub fn zeros(&mut self, count: usize) -> &mut Self {
        let len = self.0.len() + count;
        self.0.resize(len, 0);
        self
    }

    /// Appends one octet.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// Appends a number in the machine's order.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    /// Appends a number in the machine's order.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    /// Appends a number in the machine's order.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    /// Appends a number in the network's order.
    pub fn be16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends a number in the network's order.
    pub fn be32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Writes over what stands at `at`, as far as there is something: fields that are known last.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        self.0.iter_mut().skip(at).zip(bytes).for_each(|(octet, value)| *octet = *value);
        self
    }

    /// What was written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Default for OctetWriter {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the length alone.
impl std::fmt::Debug for OctetWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OctetWriter({} octets)", self.0.len())
    }
}

/// What was said, read from the front; every read past the end gives `None`.
#[derive(Clone, Copy, Debug)]
pub struct OctetReader<'a>(&'a [u8]);

impl<'a> OctetReader<'a> {
    /// Nothing read yet.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next octets, so many as the array has.
    pub fn array<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    /// The next octets.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    /// The next octet.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[octet]| octet)
    }

    /// A number in the machine's order.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_ne_bytes)
    }

    /// A number in the machine's order.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_ne_bytes)
    }

    /// A number in the machine's order.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_ne_bytes)
    }

    /// A number in the network's order.
    pub fn be16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number in the network's order.
    pub fn be32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// What is left.
    #[must_use]
    pub const fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_behind_it() {
        let mut writer = OctetWriter::new();
        writer.u8(1).u16(2).u32(3).u64(4).be16(5).be32(6).zeros(2).bytes(&[7, 8]).overwrite(0, &[9]);
        let mut reader = OctetReader::new(writer.as_bytes());
        assert_eq!(
            (reader.u8(), reader.u16(), reader.u32(), reader.u64()),
            (Some(9), Some(2), Some(3), Some(4))
        );
        assert_eq!((reader.be16(), reader.be32()), (Some(5), Some(6)));
        assert_eq!(reader.bytes(2), Some([0, 0].as_slice()));
        assert_eq!((reader.u32(), reader.rest()), (None, [7, 8].as_slice()));
        assert_eq!(format!("{writer:?}"), "OctetWriter(25 octets)");
    }
}
