//! Frames: packets on a byte stream, each behind its length in four bytes, big-endian.

use bytes::{Buf, BufMut, BytesMut};
use std::io;
use tokio_util::codec::{Decoder, Encoder};

/// The longest frame in bytes, not counting its length field. charon closes a connection that announces more.
pub const FRAME_LEN_MAX: usize = 512 * 1024;

/// Cuts a byte stream into frames and back.
#[derive(Debug, Default, Clone, Copy)]
pub struct FrameCodec;

/// Why no frame can be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame is longer than [`FRAME_LEN_MAX`]. The stream cannot be followed any further.
    #[error("frame of {len} bytes exceeds {FRAME_LEN_MAX} bytes")]
    TooLong {
        /// The length of the frame in bytes.
        len: usize,
    },
    /// The stream ended inside a frame.
    #[error("stream ended inside a frame")]
    Truncated,
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Decoder for FrameCodec {
    type Item = BytesMut;
    type Error = FrameError;

    fn decode(&mut self, stream: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        let Some(header) = stream.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let len = announced_len(*header)?;
        if stream.len() - HEADER_LEN < len {
            // Not reserved at once: a peer that announces much and sends nothing should not cost memory.
            return Ok(None);
        }
        stream.advance(HEADER_LEN);
        Ok(Some(stream.split_to(len)))
    }

    fn decode_eof(&mut self, stream: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        match self.decode(stream)? {
            None if !stream.is_empty() => Err(FrameError::Truncated),
            frame => Ok(frame),
        }
    }
}

impl<T: AsRef<[u8]>> Encoder<T> for FrameCodec {
    type Error = FrameError;

    fn encode(&mut self, frame: T, stream: &mut BytesMut) -> Result<(), FrameError> {
        let frame = frame.as_ref();
        stream.reserve(HEADER_LEN + frame.len());
        stream.put_slice(&header(frame)?);
        stream.put_slice(frame);
        Ok(())
    }
}

/// The length that a header announces.
pub(crate) fn announced_len(header: [u8; HEADER_LEN]) -> Result<usize, FrameError> {
    let len = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if len > FRAME_LEN_MAX { Err(FrameError::TooLong { len }) } else { Ok(len) }
}

/// The header for a frame.
pub(crate) fn header(frame: &[u8]) -> Result<[u8; HEADER_LEN], FrameError> {
    let len = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= FRAME_LEN_MAX);
    Ok(len.ok_or(FrameError::TooLong { len: frame.len() })?.to_be_bytes())
}

pub(crate) const HEADER_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_wherever_the_stream_is_split() {
        let mut whole = BytesMut::new();
        for frame in [b"first".as_slice(), b"", b"second"] {
            FrameCodec.encode(frame, &mut whole).unwrap();
        }
        for split in 0..whole.len() {
            let mut stream = BytesMut::from(&whole[..split]);
            let mut frames = Vec::new();
            while let Some(frame) = FrameCodec.decode(&mut stream).unwrap() {
                frames.push(frame);
            }
            stream.extend_from_slice(&whole[split..]);
            while let Some(frame) = FrameCodec.decode_eof(&mut stream).unwrap() {
                frames.push(frame);
            }
            assert_eq!(frames, [b"first".as_slice(), b"", b"second"]);
        }
    }

    #[test]
    fn the_limit_is_512_kib_in_both_directions() {
        let mut stream = BytesMut::new();
        FrameCodec.encode(vec![0; FRAME_LEN_MAX], &mut stream).unwrap();
        assert_eq!(FrameCodec.decode(&mut stream).unwrap().unwrap().len(), FRAME_LEN_MAX);
        let refused = FrameCodec.encode(vec![0; FRAME_LEN_MAX + 1], &mut stream);
        assert!(matches!(refused, Err(FrameError::TooLong { len: 524_289 })));
        let refused = FrameCodec.decode(&mut BytesMut::from(b"\x00\x08\x00\x01".as_slice()));
        assert!(matches!(refused, Err(FrameError::TooLong { len: 524_289 })));
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_an_error() {
        let mut stream = BytesMut::from(b"\x00\x00\x00\x02x".as_slice());
        assert!(matches!(FrameCodec.decode_eof(&mut stream), Err(FrameError::Truncated)));
    }
}
