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

fn dump(answers: Vec<io::Result<Vec<u8>>>) -> Result<usize, i32> {
    let mut exchange = Exchange::new(Prepared { answers: answers.into() });
    exchange.dump(wire::DUMP, wire::SATYPE_ESP).map(|listed| listed.len())
}

#[test]
fn a_list_ends_with_number_zero_and_has_nothing_of_others() {
    let ours = |number| Ok(message(wire::DUMP, number, std::process::id()));
    let others =
        [Ok(message(wire::DUMP, 0, 1)), Ok(message(wire::ADD, 0, std::process::id())), Ok(vec![1; 5])];
    let answers = [ours(1)].into_iter().chain(others).chain([ours(2), ours(0)]).collect();
    assert_eq!(dump(answers), Ok(3));
}

#[test]
fn a_list_that_breaks_off_is_asked_for_again_and_then_an_error() {
    let part = || Ok(message(wire::DUMP, 1, std::process::id()));
    let end = || Ok(message(wire::DUMP, 0, std::process::id()));
    let overrun = || Err(io::Error::from_raw_os_error(ENOBUFS));
    assert_eq!(dump(vec![part(), overrun(), part(), part(), end()]), Ok(3));
    assert_eq!(dump(vec![part()]), Err(ENOBUFS));
    let mut refusal = message(wire::DUMP, 1, std::process::id());
    refusal[2] = 1;
    assert_eq!(dump(vec![Ok(refusal)]), Err(1));
}

#[test]
fn room_is_made_if_any_is_asked_for() {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None).unwrap();
    let given = socket.recv_buffer_size().unwrap();
    make_room(&socket, 0);
    assert_eq!(socket.recv_buffer_size().unwrap(), given);
    // The kernel doubles it, for its own bookkeeping.
    make_room(&socket, 16 << 10);
    assert_eq!(socket.recv_buffer_size().unwrap(), 32 << 10);
}
