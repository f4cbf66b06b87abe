use std::collections::VecDeque;

use super::*;
use crate::xfrm::wire::{F_ACK, NEWSA};

/// A kernel that answers what it was sent with prepared datagrams, whose sequence numbers count from 1.
#[derive(Default)]
struct Prepared {
    answers: VecDeque<io::Result<Vec<u8>>>,
    sent: Vec<usize>,
}

impl Transport for Prepared {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.sent.push(Messages::new(datagram).count());
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let answer = self.answers.pop_front().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))?;
        buffer[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }
}

fn message(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::message(kind, 0);
    writer.bytes(payload);
    writer.finish(sequence).to_vec()
}

fn ack(sequence: u32, errno: i32) -> Vec<u8> {
    message(wire::NLMSG_ERROR, sequence, &[(-errno).to_ne_bytes().to_vec(), vec![0; 16]].concat())
}

fn pipeline(answers: impl IntoIterator<Item = io::Result<Vec<u8>>>) -> Pipeline<Prepared> {
    Pipeline::new(Prepared { answers: answers.into_iter().collect(), sent: Vec::new() })
}

fn requests(count: usize) -> Vec<Writer> {
    (0..count).map(|_| Writer::message(NEWSA, F_ACK)).collect()
}

#[test]
fn answers_are_put_in_the_order_of_the_requests() {
    let mut pipeline = pipeline([Ok(ack(3, 0)), Ok(ack(1, EEXIST)), Ok(ack(2, ESRCH))]);
    assert_eq!(pipeline.run(requests(3)), [Err(EEXIST), Err(ESRCH), Ok(vec![])]);
    assert_eq!(pipeline.transport.sent, [3]);
}

#[test]
fn many_requests_go_in_datagrams_whose_answers_fit_the_socket() {
    let count = 2 * CHUNK + 1;
    let mut pipeline = pipeline((1..=u32::try_from(count).unwrap()).map(|sequence| Ok(ack(sequence, 0))));
    assert!(pipeline.run(requests(count)).iter().all(Result::is_ok));
    assert_eq!(pipeline.transport.sent, [CHUNK, CHUNK, 1]);
}

#[test]
fn an_answer_with_content_is_complete_with_its_acknowledgement() {
    let both = [message(NEWSA, 1, b"content!"), ack(1, 0)].concat();
    assert_eq!(pipeline([Ok(both)]).run(requests(1)), [Ok(b"content!".to_vec())]);
    // Without it, it was lost.
    assert_eq!(pipeline([Ok(message(NEWSA, 1, b"content!"))]).run(requests(1)), [Err(ENOBUFS)]);
}

#[test]
fn strangers_rubbish_and_overruns_do_not_stop_the_others() {
    let overrun = io::Error::from_raw_os_error(ENOBUFS);
    let cut = ack(1, 0)[..17].to_vec();
    let mut pipeline =
        pipeline([Ok(ack(77, EEXIST)), Ok(cut), Err(overrun), Ok(vec![1, 2, 3]), Ok(ack(2, 0))]);
    assert_eq!(pipeline.run(requests(2)), [Err(ENOBUFS), Ok(vec![])]);
    // The next request finds the socket as it should be: the numbers go on.
    pipeline.transport.answers.push_back(Ok(ack(3, 0)));
    assert_eq!(pipeline.run_one(Writer::message(NEWSA, F_ACK)), Ok(vec![]));
}

fn list(answers: impl IntoIterator<Item = io::Result<Vec<u8>>>) -> Result<usize, i32> {
    let mut pipeline = pipeline(answers);
    pipeline.dump(|| Writer::message(wire::GETSA, wire::F_DUMP)).map(|listed| listed.len())
}

fn part(sequence: u32) -> io::Result<Vec<u8>> {
    Ok(message(NEWSA, sequence, b"one sa.."))
}

fn done(sequence: u32) -> Vec<u8> {
    message(wire::NLMSG_DONE, sequence, &[0; 4])
}

#[test]
fn a_list_comes_in_parts_to_its_end() {
    assert_eq!(list([part(1), Ok([message(NEWSA, 1, b"another."), done(1)].concat())]), Ok(2));
    assert_eq!(list([part(1), Ok(ack(1, EINVAL))]), Err(EINVAL));
}

#[test]
fn a_list_that_breaks_off_is_asked_for_again_and_at_last_an_error() {
    let overrun = || Err(io::Error::from_raw_os_error(ENOBUFS));
    let empty = || Err(io::ErrorKind::WouldBlock.into());
    // What is left of the first one does not end the second.
    assert_eq!(list([part(1), overrun(), part(1), Ok(done(1)), part(2), Ok(done(2))]), Ok(1));
    assert_eq!(list([part(1), empty(), Ok(done(2))]), Ok(0));
    assert_eq!(list([part(1), overrun(), part(2), overrun(), part(3), overrun(), part(4)]), Err(ENOBUFS));
}

#[test]
fn a_list_that_changed_meanwhile_is_asked_for_again() {
    let changed = |sequence| {
        let mut part = message(NEWSA, sequence, b"one sa..");
        part[6..8].copy_from_slice(&wire::F_DUMP_INTR.to_ne_bytes());
        Ok([part, done(sequence)].concat())
    };
    assert_eq!(list([changed(1), part(2), part(2), Ok(done(2))]), Ok(2));
    // Better than nothing.
    assert_eq!(list((1..=4).map(changed)), Ok(1));
}

#[test]
fn a_refusal_without_its_number_is_a_refusal() {
    assert_eq!(pipeline([Ok(message(wire::NLMSG_ERROR, 1, &[1]))]).run(requests(1)), [Err(EINVAL)]);
}
