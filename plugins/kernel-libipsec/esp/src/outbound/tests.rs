use charon_types::kernel_op::Direction;

use super::*;
use crate::engine::tests::{provider, sa};

fn outbound(esn: Esn) -> OutboundSa {
    OutboundSa::new(&AddSa { esn, ..sa(500, Direction::Outbound) }, &provider()).unwrap()
}

fn seal(sa: &OutboundSa) -> Result<Vec<u8>, Exhausted> {
    let mut packet = vec![0x45; sa.sealed_len(40)];
    sa.seal(40, &mut packet).map(|()| packet)
}

#[test]
fn numbers_start_at_one_and_never_come_twice() {
    let sa = outbound(Esn::Disabled);
    let numbers: Vec<_> = (0..3).map(|_| seal(&sa).unwrap()[4..8].to_vec()).collect();
    assert_eq!(numbers, [[0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 3]]);
}

#[test]
fn thirty_two_bit_numbers_run_out_rather_than_wrap() {
    let sa = outbound(Esn::Disabled);
    sa.set_sequence(u64::from(u32::MAX) - 1);
    assert!(seal(&sa).is_ok());
    assert_eq!(seal(&sa), Err(Exhausted));
    assert_eq!(seal(&sa), Err(Exhausted));
    assert_eq!(sa.count(Millis(0), 40, 1), Some(Expiry::Hard));
    assert!(sa.is_dead());
}

#[test]
fn a_successor_is_asked_for_before_the_numbers_run_out() {
    let sa = outbound(Esn::Disabled);
    sa.set_sequence(u64::from(u32::MAX) - SEQUENCE_RESERVE);
    assert_eq!(sa.count(Millis(0), 40, 1), Some(Expiry::Soft));
    assert_eq!(sa.count(Millis(0), 40, 1), None);
}

#[test]
fn extended_numbers_go_on_past_thirty_two_bits() {
    let sa = outbound(Esn::Enabled);
    sa.set_sequence(u64::from(u32::MAX));
    assert_eq!(seal(&sa).unwrap()[4..8], [0, 0, 0, 0]);
}
