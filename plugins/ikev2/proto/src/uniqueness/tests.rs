use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

fn origin(began: u32, horizon: u32, role: Role, spi: u8, initial_contact: InitialContact) -> Origin {
    let (began, horizon) = (UniqueId(began), UniqueId(horizon));
    Origin { began, horizon, role, spi_initiator: IkeSpi::from_be_bytes([spi; 8]), initial_contact }
}

fn at_home(unique: Unique, new: &Origin, old: &Origin) -> Fate {
    fate(unique, (new, HERE), (old, HERE))
}

use InitialContact::{Absent, Received, Sent};
use Role::{Initiator, Responder};

#[test]
fn of_two_whose_requests_crossed_both_ends_keep_the_same_one() {
    for (ours, theirs) in [(1, 2), (2, 1)] {
        // Here the peer's was established first, there ours.
        let here = at_home(
            Unique::Replace,
            &origin(1, 3, Initiator, ours, Sent),
            &origin(2, 3, Responder, theirs, Received),
        );
        let there = at_home(
            Unique::Replace,
            &origin(7, 9, Initiator, theirs, Sent),
            &origin(8, 9, Responder, ours, Received),
        );
        let ours_stays = ours > theirs;
        assert_eq!(here == Fate::YieldsToNew, ours_stays);
        assert_eq!(there == Fate::NewYields, ours_stays);
    }
}

#[test]
fn of_two_that_cross_that_one_stays_whose_initiator_knew_both() {
    for spi in [1, 9] {
        let knowing = origin(2, 3, Initiator, 5, Absent);
        let unknowing = origin(1, 3, Responder, spi, Received);
        assert_eq!(at_home(Unique::Replace, &knowing, &unknowing), Fate::YieldsToNew);
        assert_eq!(at_home(Unique::Replace, &unknowing, &knowing), Fate::NewYields);
    }
}

#[test]
fn initial_contact_says_nothing_of_an_ike_sa_that_crosses() {
    let (ours, theirs) = (origin(1, 3, Initiator, 1, Sent), origin(2, 3, Responder, 2, Received));
    for unique in [Unique::No, Unique::Keep, Unique::Never] {
        assert_eq!(at_home(unique, &theirs, &ours), Fate::Stays);
    }
    assert_eq!(at_home(Unique::Replace, &theirs, &ours), Fate::YieldsToNew, "it is asked for first");
}

#[test]
fn initial_contact_ends_what_was_established_before_the_peer_began() {
    let new = origin(5, 6, Responder, 1, Received);
    for (role, contact) in [(Initiator, Sent), (Responder, Received), (Initiator, Absent)] {
        let old = origin(1, 2, role, 2, contact);
        for unique in [Unique::No, Unique::Keep, Unique::Replace] {
            assert_eq!(at_home(unique, &new, &old), Fate::Goes);
        }
        assert_eq!(at_home(Unique::Never, &new, &old), Fate::Stays);
    }
    // Whoever began both cannot have begun the second one in ignorance of the first.
    let overlapping = origin(4, 6, Responder, 2, Received);
    assert_eq!(at_home(Unique::Replace, &new, &overlapping), Fate::Goes);
}

#[test]
fn what_the_peer_establishes_anew_replaces_the_older_one_in_its_own_time() {
    let (new, old) = (origin(5, 6, Responder, 1, Absent), origin(1, 2, Responder, 2, Received));
    assert_eq!(at_home(Unique::Replace, &new, &old), Fate::GoesLater);
    assert_eq!(fate(Unique::Replace, (&new, HERE), (&old, ELSEWHERE)), Fate::Goes);
    assert_eq!(at_home(Unique::No, &new, &old), Fate::Stays);
    let ours = origin(5, 6, Initiator, 1, Sent);
    assert_eq!(at_home(Unique::Replace, &ours, &old), Fate::Stays);
}

#[test]
fn where_both_knew_of_others_nothing_crosses() {
    let (ours, theirs) = (origin(1, 3, Initiator, 1, Absent), origin(2, 3, Responder, 2, Absent));
    assert_eq!(at_home(Unique::Replace, &ours, &theirs), Fate::Stays);
    assert_eq!(at_home(Unique::Replace, &theirs, &ours), Fate::GoesLater);
}

#[test]
fn an_ike_sa_of_which_it_is_known_beforehand_ends_no_other() {
    let origins = [Initiator, Responder].into_iter().flat_map(|role| {
        let began = [(1, 2, 1), (1, 6, 2), (5, 6, 3)].into_iter();
        began.flat_map(move |(began, horizon, spi)| {
            [Sent, Received, Absent].map(|contact| origin(began, horizon, role, spi, contact))
        })
    });
    let origins: Vec<_> = origins.collect();
    for unique in [Unique::Never, Unique::No, Unique::Keep, Unique::Replace] {
        for new in &origins {
            let ends = origins.iter().any(|old| at_home(unique, new, old) != Fate::Stays);
            assert!(may_end_others(unique, new.initial_contact) || !ends, "{unique:?} {new:?}");
        }
    }
}
