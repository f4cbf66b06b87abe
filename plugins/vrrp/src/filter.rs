//! The classic BPF program in front of an interface's packet socket: adverts of the virtual routers that are there, whatever else
//! the interface carries.

use vrrp_proto::Vrid;
use vrrp_proto::id::{Family, IP_PROTOCOL};

use crate::sys::Instruction;

const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE_INDEXED: u16 = 0x50;
const LOAD_X_HEADER_LEN: u16 = 0xb1;
const LOAD_IMMEDIATE: u16 = 0x00;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_SET: u16 = 0x45;
const AND: u16 = 0x54;
const SHIFT_RIGHT: u16 = 0x74;
const SHIFT_RIGHT_X: u16 = 0x7c;
const MOVE_TO_X: u16 = 0x07;
const MOVE_FROM_X: u16 = 0x87;
const RETURN: u16 = 0x06;

/// Where the kernel keeps what is not in the frame.
const ANCILLARY: u32 = 0xffff_f000;
const PACKET_TYPE: u32 = ANCILLARY + 4;
const VLAN_TAG_PRESENT: u32 = ANCILLARY + 48;
const OTHER_HOST: u32 = 3;
const OUTGOING: u32 = 4;
const EVERYTHING: u32 = 0x4_0000;

const ETHERTYPE_IPV4: u32 = 0x0800;
const ETHERTYPE_IPV6: u32 = 0x86dd;
const ETHERTYPE_ARP: u32 = 0x0806;
const ICMPV6: u32 = 58;
const NEIGHBOUR_SOLICITATION: u32 = 135;

/// What the socket is to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    ipv4: VridSet,
    ipv6: VridSet,
    /// Requests for IPv4 addresses that we answer for ourselves.
    pub(crate) arp: Answering,
    /// Requests for IPv6 addresses that we answer for ourselves.
    pub(crate) solicitations: Answering,
}

/// Whether we answer for addresses that the kernel does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answering {
    /// The kernel does.
    #[default]
    No,
    /// We do.
    Yes,
}

/// Ids of virtual routers as a bitmap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct VridSet([u32; 8]);

impl Wanted {
    pub(crate) fn add(&mut self, family: Family, vrid: Vrid) {
        let set = match family {
            Family::Ipv4 => &mut self.ipv4,
            Family::Ipv6 => &mut self.ipv6,
        };
        set.0[usize::from(vrid.get() / 32)] |= 1 << (vrid.get() % 32);
    }

    /// The program.
    pub(crate) fn program(&self) -> Vec<Instruction> {
        let mut program = Program::default();
        // Frames of a VLAN whose tag the driver took off belong to another interface.
        program.push(LOAD_WORD, VLAN_TAG_PRESENT);
        program.drop_unless_equal(0);
        program.push(LOAD_WORD, PACKET_TYPE);
        program.drop_if_equal(OUTGOING);
        if self.arp == Answering::Yes {
            program.section(ETHERTYPE_ARP, |section| {
                section.push(RETURN, EVERYTHING);
            });
        }
        program.section(ETHERTYPE_IPV4, |section| {
            section.push(LOAD_BYTE, 23);
            section.drop_unless_equal(u32::from(IP_PROTOCOL));
            // Neither a fragment nor the first of several.
            section.push(LOAD_HALF, 20);
            section.drop_if_set(0x3fff);
            section.drop_others();
            section.push(LOAD_X_HEADER_LEN, 14);
            section.push(LOAD_BYTE_INDEXED, 15);
            section.accept_members(&self.ipv4);
        });
        let solicitations = self.solicitations;
        program.section(ETHERTYPE_IPV6, |section| {
            section.push(LOAD_BYTE, 20);
            if solicitations == Answering::Yes {
                section.jump_unless_equal(ICMPV6, |inner| {
                    inner.push(LOAD_BYTE, 54);
                    inner.drop_unless_equal(NEIGHBOUR_SOLICITATION);
                    inner.push(RETURN, EVERYTHING);
                });
            }
            section.drop_unless_equal(u32::from(IP_PROTOCOL));
            section.drop_others();
            section.push(LOAD_BYTE, 55);
            section.accept_members(&self.ipv6);
        });
        program.push(RETURN, 0);
        program.0
    }
}

/// A program under construction.
#[derive(Default)]
struct Program(Vec<Instruction>);

impl Program {
    fn push(&mut self, code: u16, operand: u32) {
        self.0.push(Instruction { code, jump_true: 0, jump_false: 0, operand });
    }

    fn branch(&mut self, code: u16, operand: u32, jump_true: u8, jump_false: u8) {
        self.0.push(Instruction { code, jump_true, jump_false, operand });
    }

    fn drop_unless_equal(&mut self, operand: u32) {
        self.branch(JUMP_IF_EQUAL, operand, 1, 0);
        self.push(RETURN, 0);
    }

    fn drop_if_equal(&mut self, operand: u32) {
        self.branch(JUMP_IF_EQUAL, operand, 0, 1);
        self.push(RETURN, 0);
    }

    fn drop_if_set(&mut self, operand: u32) {
        self.branch(JUMP_IF_SET, operand, 0, 1);
        self.push(RETURN, 0);
    }

    /// What is for another host, seen only because the interface is promiscuous.
    fn drop_others(&mut self) {
        self.push(LOAD_WORD, PACKET_TYPE);
        self.drop_if_equal(OTHER_HOST);
    }

    /// What follows only for this ethertype.
    fn section(&mut self, ethertype: u32, body: impl FnOnce(&mut Self)) {
        self.push(LOAD_HALF, 12);
        self.jump_unless_equal(ethertype, body);
    }

    fn jump_unless_equal(&mut self, operand: u32, body: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        body(&mut inner);
        let len = u32::try_from(inner.0.len()).expect("programs are short");
        self.branch(JUMP_IF_EQUAL, operand, 1, 0);
        self.push(JUMP, len);
        self.0.append(&mut inner.0);
    }

    /// Accepts if the accumulator is in the set: word `A / 32`, bit `A % 32`.
    fn accept_members(&mut self, set: &VridSet) {
        self.push(MOVE_TO_X, 0);
        self.push(SHIFT_RIGHT, 5);
        for (word, bits) in (0_u32..).zip(set.0) {
            if bits == 0 {
                continue;
            }
            self.jump_unless_equal(word, |inner| {
                inner.push(MOVE_FROM_X, 0);
                inner.push(AND, 31);
                inner.push(MOVE_TO_X, 0);
                inner.push(LOAD_IMMEDIATE, bits);
                inner.push(SHIFT_RIGHT_X, 0);
                inner.branch(JUMP_IF_SET, 1, 0, 1);
                inner.push(RETURN, EVERYTHING);
                inner.push(RETURN, 0);
            });
        }
        self.push(RETURN, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel's interpreter would say of a frame from elsewhere.
    fn accepts(program: &[Instruction], frame: &[u8], vlan: u32, packet_type: u32) -> bool {
        let (mut a, mut x, mut at) = (0_u32, 0_u32, 0_usize);
        let byte = |offset: u32| frame.get(offset as usize).copied().map(u32::from);
        loop {
            let one = program[at];
            at += 1;
            match one.code {
                LOAD_WORD if one.operand == VLAN_TAG_PRESENT => a = vlan,
                LOAD_WORD if one.operand == PACKET_TYPE => a = packet_type,
                LOAD_HALF => match (byte(one.operand), byte(one.operand + 1)) {
                    (Some(high), Some(low)) => a = high << 8 | low,
                    _ => return false,
                },
                LOAD_BYTE => match byte(one.operand) {
                    Some(value) => a = value,
                    None => return false,
                },
                LOAD_BYTE_INDEXED => match byte(one.operand + x) {
                    Some(value) => a = value,
                    None => return false,
                },
                LOAD_X_HEADER_LEN => x = (byte(one.operand).unwrap() & 0xf) * 4,
                LOAD_IMMEDIATE => a = one.operand,
                JUMP => at += one.operand as usize,
                JUMP_IF_EQUAL => {
                    at += usize::from(if a == one.operand { one.jump_true } else { one.jump_false })
                }
                JUMP_IF_SET => {
                    at += usize::from(if a & one.operand != 0 { one.jump_true } else { one.jump_false })
                }
                AND => a &= one.operand,
                SHIFT_RIGHT => a >>= one.operand,
                SHIFT_RIGHT_X => a >>= x,
                MOVE_TO_X => x = a,
                MOVE_FROM_X => a = x,
                RETURN => return one.operand != 0,
                code => panic!("no such instruction: {code:#x}"),
            }
        }
    }

    fn ipv4(vrid: u8, options: usize) -> Vec<u8> {
        let mut frame = vec![0; 14 + 20 + options + 8];
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        frame[14] = 0x45 + u8::try_from(options / 4).unwrap();
        frame[23] = 112;
        frame[14 + 20 + options + 1] = vrid;
        frame
    }

    fn ipv6(vrid: u8) -> Vec<u8> {
        let mut frame = vec![0; 14 + 40 + 8];
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        frame[20] = 112;
        frame[55] = vrid;
        frame
    }

    fn wanted(ids: &[(Family, u8)]) -> Wanted {
        let mut wanted = Wanted::default();
        for (family, vrid) in ids {
            wanted.add(*family, Vrid::new(*vrid).unwrap());
        }
        wanted
    }

    #[test]
    fn only_ids_that_are_there_pass_in_each_family() {
        let program =
            wanted(&[(Family::Ipv4, 1), (Family::Ipv4, 32), (Family::Ipv4, 255), (Family::Ipv6, 51)])
                .program();
        for vrid in 0..=255 {
            assert_eq!(accepts(&program, &ipv4(vrid, 0), 0, 2), [1, 32, 255].contains(&vrid), "{vrid}");
            assert_eq!(accepts(&program, &ipv4(vrid, 8), 0, 2), [1, 32, 255].contains(&vrid), "{vrid}");
            assert_eq!(accepts(&program, &ipv6(vrid), 0, 2), vrid == 51, "{vrid}");
        }
    }

    #[test]
    fn what_is_tagged_outgoing_fragmented_or_for_others_does_not_pass() {
        let program = wanted(&[(Family::Ipv4, 51)]).program();
        let frame = ipv4(51, 0);
        assert!(accepts(&program, &frame, 0, 2));
        assert!(!accepts(&program, &frame, 1, 2));
        assert!(!accepts(&program, &frame, 0, OUTGOING));
        assert!(!accepts(&program, &frame, 0, OTHER_HOST));
        let mut fragment = frame.clone();
        fragment[20] = 0x20;
        assert!(!accepts(&program, &fragment, 0, 2));
        let mut other = frame;
        other[23] = 6;
        assert!(!accepts(&program, &other, 0, 2));
        assert!(!accepts(&program, &[0; 60], 0, 2));
        assert!(!accepts(&program, &[], 0, 2));
    }

    #[test]
    fn requests_for_addresses_pass_if_we_answer() {
        let mut arp = vec![0; 42];
        arp[12..14].copy_from_slice(&[0x08, 0x06]);
        let mut solicitation = ipv6(0);
        solicitation[20] = 58;
        solicitation[54] = 135;
        let mut wanted = wanted(&[(Family::Ipv4, 51)]);
        assert!(!accepts(&wanted.program(), &arp, 0, 1));
        assert!(!accepts(&wanted.program(), &solicitation, 0, 2));
        wanted.arp = Answering::Yes;
        wanted.solicitations = Answering::Yes;
        // One that refreshes what it knows asks the virtual MAC address, which is not the interface's.
        assert!(accepts(&wanted.program(), &arp, 0, OTHER_HOST));
        assert!(accepts(&wanted.program(), &solicitation, 0, 2));
        solicitation[54] = 128;
        assert!(!accepts(&wanted.program(), &solicitation, 0, 2));
    }

    #[test]
    fn all_ids_of_both_families_fit() {
        let all: Vec<_> = (1..=255).flat_map(|vrid| [(Family::Ipv4, vrid), (Family::Ipv6, vrid)]).collect();
        assert!(wanted(&all).program().len() < 4096);
    }
}
