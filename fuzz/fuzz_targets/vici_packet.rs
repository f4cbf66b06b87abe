//! Any bytes as what a client sends to a VICI socket: cut into frames, parsed as packets, emitted again.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::Decoder;
use vici::{FRAME_LEN_MAX, FrameCodec, Packet, Section};

fuzz_target!(|bytes: &[u8]| {
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(frame)) = FrameCodec.decode_eof(&mut stream) {
        assert!(frame.len() <= FRAME_LEN_MAX);
        let Ok(packet) = Packet::parse(&frame) else { continue };
        let emitted = packet.to_vec().expect("a parsed name fits");
        assert!(frame.starts_with(&emitted));
        assert_eq!(Packet::parse(&emitted), Ok(packet));
        if let Packet::Request { message, .. }
        | Packet::Event { message, .. }
        | Packet::Response { message } = packet
        {
            let _ = Section::parse_prefix(message);
        }
    }
});
