use std::collections::VecDeque;

use super::*;
use crate::wire;

/// A kernel that answers a request with prepared messages.
#[derive(Default)]
struct Prepared {
    answers: VecDeque<io::Result<Vec<u8>>>,
}

impl Transport for Prepared {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let answer = self.answers.pop_front().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))?;
        buffer[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }
}

fn message(kind: u8, sequence: u32, pid: u32) -> Vec<u8> {
    Writer::message(kind, wire::SATYPE_ESP).finish(sequence, pid).to_vec()
}

fn ask(answers: Vec<io::Result<Vec<u8>>>) -> Result<Vec<u8>, i32> {
    let mut exchange = Exchange::new(Prepared { answers: answers.into() });
    exchange.ask(Writer::message(wire::GET, wire::SATYPE_ESP))
}

#[test]
fn what_others_asked_is_no_answer_to_us() {
    let ours = message(wire::GET, 1, std::process::id());
    let others = [
        message(wire::GET, 1, 1),
        message(wire::GET, 2, std::process::id()),
        message(wire::ADD, 1, std::process::id()),
    ];
    let answers = others.into_iter().chain([ours.clone()]).map(Ok).collect();
    assert_eq!(ask(answers), Ok(ours));
}

#[test]
fn rubbish_and_overruns_are_passed_over() {
    let ours = message(wire::GET, 1, std::process::id());
    let overrun = io::Error::from_raw_os_error(ENOBUFS);
    assert_eq!(ask(vec![Ok(vec![2; 7]), Ok(ours[..9].to_vec()), Err(overrun), Ok(ours.clone())]), Ok(ours));
}

#[test]
fn an_answer_that_was_lost_is_an_error() {
    assert_eq!(ask(vec![]), Err(ENOBUFS));
}

#[test]
fn a_refusal_is_an_errno() {
    let mut refusal = message(wire::GET, 1, std::process::id());
    refusal[2] = 3;
    assert_eq!(ask(vec![Ok(refusal)]), Err(3));
}
