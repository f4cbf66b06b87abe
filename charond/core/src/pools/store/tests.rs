use super::*;

fn id(text: &str) -> Identity {
    Identity::parse(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn spec(name: &str, range: &str) -> PoolSpec {
    PoolSpec { name: name.into(), range: AddressRange::parse(range).unwrap(), attributes: Vec::new() }
}

fn pools(specs: &[(&str, &str)]) -> Pools {
    let pools = Pools::default();
    specs.iter().for_each(|(name, range)| pools.load(spec(name, range)).unwrap());
    pools
}

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| (*name).into()).collect()
}

/// Lends from pool `p`, to a peer of its own for each identity.
fn lend(pools: &Pools, who: &str) -> Option<Lease> {
    lend_from(pools, &["p"], who, "0.0.0.0", "192.0.2.1")
}

fn lend_from(pools: &Pools, from: &[&str], who: &str, wanted: &str, peer: &str) -> Option<Lease> {
    pools.lend(&names(from), &id(who), ip(wanted), ip(peer))
}

fn numbers(pools: &Pools) -> (usize, usize) {
    let view = &pools.list(Some("p"), Detail::Summary)[0];
    (view.online, view.offline)
}

#[test]
fn each_identity_gets_its_own_address_and_gets_it_back() {
    let pools = pools(&[("p", "10.3.0.0/28")]);
    let (a, b) = (lend(&pools, "a").unwrap(), lend(&pools, "b").unwrap());
    assert_eq!((a.address, b.address), (ip("10.3.0.1"), ip("10.3.0.2")));
    assert_eq!(numbers(&pools), (2, 0));
    pools.give_back(&a);
    pools.give_back(&b);
    assert_eq!(numbers(&pools), (0, 2));
    assert_eq!(lend(&pools, "b").unwrap().address, ip("10.3.0.2"));
    assert_eq!(lend(&pools, "a").unwrap().address, ip("10.3.0.1"));
}

#[test]
fn an_address_is_kept_for_its_identity_until_nothing_else_is_left() {
    let pools = pools(&[("p", "10.3.0.1-10.3.0.2")]);
    pools.give_back(&lend(&pools, "a").unwrap());
    assert_eq!(lend(&pools, "b").unwrap().address, ip("10.3.0.2"));
    assert_eq!(lend(&pools, "c").unwrap().address, ip("10.3.0.1"), "a's, who is not there");
    assert_eq!(lend(&pools, "a"), None, "full");
}

#[test]
fn what_is_offline_for_longest_is_lent_to_others_first() {
    let pools = pools(&[("p", "10.3.0.1-10.3.0.3")]);
    let leases: Vec<_> = ["a", "b", "c"].iter().map(|who| lend(&pools, who).unwrap()).collect();
    for at in [1, 2, 0] {
        pools.give_back(&leases[at]);
    }
    assert_eq!(lend(&pools, "d").unwrap().address, ip("10.3.0.2"));
    assert_eq!(lend(&pools, "e").unwrap().address, ip("10.3.0.3"));
    assert_eq!(lend(&pools, "a").unwrap().address, ip("10.3.0.1"));
}

#[test]
fn an_ike_sa_that_replaces_another_of_the_same_peer_shares_its_address() {
    let pools = pools(&[("p", "10.3.0.0/28")]);
    let old = lend(&pools, "a").unwrap();
    let new = lend_from(&pools, &["p"], "a", "10.3.0.1", "192.0.2.1").unwrap();
    assert_eq!(old.address, new.address);
    pools.give_back(&old);
    assert_eq!(numbers(&pools), (1, 0), "still in use");
    pools.give_back(&new);
    assert_eq!(numbers(&pools), (0, 1));
}

#[test]
fn the_same_identity_elsewhere_gets_another_address() {
    let pools = pools(&[("p", "10.3.0.0/28")]);
    assert_eq!(lend(&pools, "a").unwrap().address, ip("10.3.0.1"));
    let elsewhere = lend_from(&pools, &["p"], "a", "0.0.0.0", "192.0.2.9").unwrap();
    assert_eq!(elsewhere.address, ip("10.3.0.2"));
}

#[test]
fn a_lease_given_back_twice_counts_once() {
    let pools = pools(&[("p", "10.3.0.0/28")]);
    let lease = lend(&pools, "a").unwrap();
    pools.give_back(&lease);
    pools.give_back(&lease);
    assert_eq!(numbers(&pools), (0, 1));
}

#[test]
fn the_family_asked_for_decides_between_pools() {
    let pools = pools(&[("p", "10.3.0.0/28"), ("q", "fec3::/120")]);
    let six = lend_from(&pools, &["p", "q"], "a", "::", "192.0.2.1").unwrap();
    assert_eq!((&*six.pool, six.address), ("q", ip("fec3::1")));
    assert_eq!(lend_from(&pools, &["p"], "a", "::", "192.0.2.1"), None);
}

#[test]
fn a_second_pool_is_used_when_the_first_is_full_and_remembered() {
    let pools = pools(&[("p", "10.3.0.1-10.3.0.1"), ("q", "10.4.0.1-10.4.0.9")]);
    let from = |who| lend_from(&pools, &["p", "q"], who, "0.0.0.0", "192.0.2.1").unwrap();
    assert_eq!(from("a").address, ip("10.3.0.1"));
    let b = from("b");
    assert_eq!(b.address, ip("10.4.0.1"));
    pools.give_back(&b);
    assert_eq!(from("b").address, ip("10.4.0.1"));
}

#[test]
fn a_pool_with_online_leases_is_neither_replaced_nor_unloaded() {
    let pools = pools(&[("p", "10.3.0.0/28")]);
    let lease = lend(&pools, "a").unwrap();
    let error = pools.load(spec("p", "10.9.0.0/28")).unwrap_err();
    assert_eq!(error.to_string(), "vici pool p has online leases, unable to replace");
    assert_eq!(pools.unload("p").unwrap_err().to_string(), "p has online leases, unable to unload");
    pools.give_back(&lease);
    pools.load(spec("p", "10.9.0.0/28")).unwrap();
    assert_eq!(numbers(&pools), (0, 0), "the leases went with the addresses");
    pools.unload("p").unwrap();
    assert_eq!(pools.unload("p").unwrap_err().to_string(), "p not found");
}

#[test]
fn a_pool_with_the_same_addresses_keeps_its_leases_and_gets_new_attributes() {
    let pools = pools(&[("p", "10.3.0.0/28")]);
    let lease = lend(&pools, "a").unwrap();
    let dns = ConfigAttribute {
        kind: charon_types::config_attribute::AttributeKind::INTERNAL_IP4_DNS,
        value: vec![10, 0, 0, 53],
    };
    pools.load(PoolSpec { attributes: vec![dns.clone()], ..spec("p", "10.3.0.0/28") }).unwrap();
    assert_eq!(numbers(&pools), (1, 0));
    assert_eq!(pools.attributes(&[lease]), [dns]);
    assert!(pools.attributes(&[]).is_empty(), "nothing without an address");
}

#[test]
fn leases_are_listed_by_address() {
    let pools = pools(&[("p", "10.3.0.0/28")]);
    pools.give_back(&lend(&pools, "a").unwrap());
    lend(&pools, "b").unwrap();
    let leases = &pools.list(None, Detail::Leases)[0].leases;
    let shown: Vec<_> = leases.iter().map(|lease| (lease.address.to_string(), lease.state)).collect();
    assert_eq!(shown, [("10.3.0.1".into(), LeaseState::Offline), ("10.3.0.2".into(), LeaseState::Online)]);
}
