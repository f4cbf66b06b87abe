use proptest::prelude::*;
use vici::FRAME_LEN_MAX;

use super::*;

fn frame(packet: &[u8]) -> Vec<u8> {
    [&u32::try_from(packet.len()).unwrap().to_be_bytes(), packet].concat()
}

fn request(name: &str, message: &[u8]) -> Vec<u8> {
    let name = Name::new(name.as_bytes()).unwrap();
    frame(&Packet::Request { name, message }.to_vec().unwrap())
}

fn register(name: &str) -> Vec<u8> {
    frame(&Packet::EventRegister { name: Name::new(name.as_bytes()).unwrap() }.to_vec().unwrap())
}

/// Types of the packets that wait for the client, all of which it now reads.
fn read(session: &mut Session) -> Vec<u8> {
    let mut kinds = Vec::new();
    let mut rest = session.output();
    while let Some((header, after)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_be_bytes(*header)).unwrap();
        kinds.push(after[0]);
        rest = &after[len..];
    }
    assert!(rest.is_empty());
    let len = session.output().len();
    session.sent(len);
    kinds
}

fn command(step: Option<Step>) -> String {
    match step {
        Some(Step::Run(call)) => call.name().to_owned(),
        step => panic!("{step:?} instead of a command"),
    }
}

#[test]
fn nothing_behind_a_command_is_looked_at_before_it_is_answered() {
    let mut session = Session::new();
    session.handle_input(&[request("initiate", b""), register("log"), request("version", b"")].concat());
    assert_eq!(command(session.poll()), "initiate");
    assert!(session.poll().is_none());
    assert!(session.output().is_empty());
    session.answer(Some(&reply::success()));
    assert!(matches!(session.poll(), Some(Step::Subscribe(EventKind::Log))));
    assert_eq!(command(session.poll()), "version");
    session.answer(None);
    assert_eq!(read(&mut session), [1, 5, 2]);
}

#[test]
fn events_of_a_command_go_out_before_its_answer() {
    let mut session = Session::new();
    session.handle_input(&[register("list-sa"), register("list-sa"), request("list-sas", b"")].concat());
    assert!(matches!(session.poll(), Some(Step::Subscribe(EventKind::ListSa))));
    assert_eq!(command(session.poll()), "list-sas");
    assert_eq!(session.registrations(EventKind::ListSa), 2);
    assert_eq!(session.event(EventKind::ListSa, &Message::new()), Ok(None));
    session.answer(Some(&Message::new()));
    assert_eq!(read(&mut session), [5, 5, 7, 1]);
}

#[test]
fn a_request_sent_before_the_client_closed_its_end_is_still_answered() {
    let mut session = Session::new();
    session.handle_input(&request("version", b""));
    session.handle_end();
    assert_eq!(command(session.poll()), "version");
    session.answer(Some(&Message::new()));
    assert!(matches!(session.poll(), Some(Step::End(End::Left))));
    assert_eq!(read(&mut session), [1]);
    assert!(session.poll().is_none() && session.is_over());
}

#[test]
fn a_stream_that_ends_inside_a_frame_or_announces_too_much_is_over() {
    let mut session = Session::new();
    session.handle_input(b"\0\0\0\x09\x00");
    session.handle_end();
    assert!(matches!(session.poll(), Some(Step::End(End::Truncated))));
    let mut session = Session::new();
    session.handle_input(b"\xff\xff\xff\xff");
    assert!(matches!(session.poll(), Some(Step::End(End::TooLong(0xffff_ffff)))));
    assert!(session.output().is_empty());
}

#[test]
fn packets_that_are_none_get_no_reply_and_end_nothing() {
    for (packet, rejection) in [
        (b"".as_slice(), Rejection::Empty),
        (b"\x09", Rejection::Operation(9)),
        (b"\x01", Rejection::Operation(1)),
        (b"\x00", Rejection::Name { kind: 0 }),
        (b"\x03\x04log", Rejection::Name { kind: 3 }),
        (b"\x04\x01\x07", Rejection::Name { kind: 4 }),
    ] {
        let mut session = Session::new();
        session.handle_input(&[frame(packet), request("version", b"")].concat());
        assert!(matches!(session.poll(), Some(Step::Rejected(found)) if found == rejection), "{packet:?}");
        assert_eq!(command(session.poll()), "version");
        assert!(session.output().is_empty());
    }
}

#[test]
fn an_answer_that_does_not_fit_is_replaced_by_one_that_does() {
    let mut session = Session::new();
    for misfit in [
        Message::new().with("long", vec![b'x'; 65_536]),
        Message::new().with_list("keys", std::iter::repeat_n([b'x'; 60_000], 9)),
    ] {
        session.handle_input(&request("get-keys", b""));
        assert_eq!(command(session.poll()), "get-keys");
        session.answer(Some(&misfit));
        assert!(String::from_utf8_lossy(session.output()).contains("does not fit"));
        read(&mut session);
    }
}

#[test]
fn a_client_that_does_not_read_answers_is_not_listened_to() {
    let mut session = Session::new();
    session.handle_input(&request("version", b"").repeat(4000));
    let answer = Message::new().with("padding", [b'x'; 100]);
    while let Some(Step::Run(_)) = session.poll() {
        session.answer(Some(&answer));
    }
    assert!(!session.wants_input() && !session.has_room());
    assert!(session.output().len() < 40_000);
    read(&mut session);
    assert_eq!(command(session.poll()), "version");
}

#[test]
fn a_client_that_does_not_read_events_is_given_up() {
    let mut session = Session::new();
    session.handle_input(&register("log"));
    assert!(matches!(session.poll(), Some(Step::Subscribe(EventKind::Log))));
    let line = Message::new().with("msg", vec![b'x'; 60_000]);
    let offered = (0..100).take_while(|_| {
        assert_eq!(session.broadcast(EventKind::Log, &line), None);
        assert!(session.footprint() <= Session::FOOTPRINT_MAX);
        !session.is_over()
    });
    assert!((10..20).contains(&offered.count()));
    assert!(matches!(session.poll(), Some(Step::End(End::DoesNotRead))));
    assert!(session.output().is_empty());
}

#[derive(Debug, Clone)]
enum Deed {
    Feed(Vec<u8>),
    Answer(usize),
    Event(usize),
    Broadcast(usize),
    Read(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let packet = prop_oneof![
        4 => Just(request("version", b"")),
        1 => (0..FRAME_LEN_MAX - 100).prop_map(|len| request("load-conn", &vec![0; len])),
        2 => Just(register("log")),
        1 => Just(register("nosuch")),
        1 => Just(frame(b"\x09")),
    ];
    prop_oneof![
        3 => packet.prop_map(Deed::Feed),
        1 => proptest::collection::vec(any::<u8>(), 0..3).prop_map(|head| Deed::Feed([&[0, 0][..], &head].concat())),
        3 => (0..FRAME_LEN_MAX).prop_map(Deed::Answer),
        1 => (0..60_000_usize).prop_map(Deed::Event),
        1 => (0..60_000_usize).prop_map(Deed::Broadcast),
        2 => (0..2 * FRAME_LEN_MAX).prop_map(Deed::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_client_does_it_holds_a_bounded_amount_and_no_reply_is_lost(deeds in proptest::collection::vec(deed(), 1..60)) {
        let mut session = Session::new();
        let mut pending: std::collections::VecDeque<u8> = std::collections::VecDeque::new();
        let (mut running, mut asked, mut answered) = (false, 0_u32, 0_u32);
        for deed in deeds {
            match deed {
                Deed::Feed(bytes) => pending.extend(bytes),
                Deed::Answer(len) if running && session.has_room() => {
                    session.answer(Some(&Message::new().with_list("v", std::iter::repeat_n([0; 1000], len / 1003))));
                    running = false;
                    answered += 1;
                }
                Deed::Answer(_) => {}
                Deed::Event(len) if running => drop(session.event(EventKind::ListSa, &Message::new().with("v", vec![0; len]))),
                Deed::Event(_) => {}
                Deed::Broadcast(len) => drop(session.broadcast(EventKind::Log, &Message::new().with("v", vec![0; len]))),
                Deed::Read(len) => session.sent(len.min(session.output().len())),
            }
            loop {
                while session.wants_input() && !pending.is_empty() {
                    let piece: Vec<u8> = pending.drain(..pending.len().min(16 * 1024)).collect();
                    session.handle_input(&piece);
                }
                match session.poll() {
                    Some(Step::Run(_)) => {
                        prop_assert!(!running);
                        running = true;
                        asked += 1;
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            prop_assert!(session.footprint() <= Session::FOOTPRINT_MAX, "{}", session.footprint());
            prop_assert_eq!(asked, answered + u32::from(running));
        }
    }
}
