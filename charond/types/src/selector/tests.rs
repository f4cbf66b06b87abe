use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::services::ServiceNames;

fn selector(text: &str) -> TrafficSelector {
    match text.parse().expect("a selector") {
        SelectorPattern::Fixed(selector) => selector,
        SelectorPattern::Dynamic { .. } => panic!("dynamic: {text}"),
    }
}

fn shown(text: &str) -> String {
    let names = ServiceNames::builtin();
    SelectorPattern::parse(text, &names).expect("a selector").display(&names).to_string()
}

#[test]
fn a_range_is_the_fewest_subnets_that_make_it_up() {
    let subnets = |text: &str| -> Vec<_> {
        selector(text).subnets().iter().map(|(net, prefix)| format!("{net}/{prefix}")).collect()
    };
    assert_eq!(subnets("10.8.0.1-10.8.0.9"), ["10.8.0.1/32", "10.8.0.2/31", "10.8.0.4/30", "10.8.0.8/31"]);
    assert_eq!(subnets("10.1.0.0/16"), ["10.1.0.0/16"]);
    assert_eq!(subnets("0.0.0.0/0"), ["0.0.0.0/0"]);
    assert_eq!(subnets("::/0"), ["::/0"]);
    assert_eq!(subnets("255.255.255.254-255.255.255.255"), ["255.255.255.254/31"]);
}

#[test]
fn selectors_show_as_strongswan_lists_them() {
    assert_eq!(shown("dynamic"), "dynamic");
    assert_eq!(shown("dynamic[tcp/22]"), "dynamic[tcp/ssh]");
    assert_eq!(shown("10.1.0.0/16"), "10.1.0.0/16");
    assert_eq!(shown("10.1.2.3/16"), "10.1.0.0/16");
    assert_eq!(shown("10.1.2.3"), "10.1.2.3/32");
    assert_eq!(shown("10.1.2.3-10.1.2.9[udp]"), "10.1.2.3..10.1.2.9[udp]");
    assert_eq!(shown("fec0::/64[/opaque]"), "fec0::/64[0/OPAQUE]");
    assert_eq!(shown("0.0.0.0/0[any/any]"), "0.0.0.0/0");
    assert_eq!(shown("10.0.0.0/8[tcp/1000-2000]"), "10.0.0.0/8[tcp/1000-2000]");
    assert_eq!(shown("10.0.0.0/8[icmp/8]"), "10.0.0.0/8[icmp/8]");
    assert_eq!(shown("10.0.0.0/8[icmp/771]"), "10.0.0.0/8[icmp/3(3)]");
    assert_eq!(shown("10.0.0.0/8[200/7]"), "10.0.0.0/8[200/7]");
    assert_eq!(shown("10.0.0.0/99"), "10.0.0.0/32");
    assert_eq!(shown("10.0.0.0/8[udp/ipsec-nat-t]"), "10.0.0.0/8[udp/ipsec-nat-t]");
}

#[test]
fn broken_selectors_say_which_part_is_wrong() {
    let error = |text: &str| text.parse::<SelectorPattern>().expect_err(text);
    assert_eq!(error("10.0.0.0/8[tcp"), SelectorError::Bracket);
    assert_eq!(error("nowhere"), SelectorError::Addresses);
    assert_eq!(error("10.0.0.9-10.0.0.1"), SelectorError::Addresses);
    assert_eq!(error("10.0.0.1-::1"), SelectorError::Addresses);
    assert_eq!(error("10.0.0.0/8[nothing]"), SelectorError::Protocol);
    assert_eq!(error("10.0.0.0/8[tcp/70000]"), SelectorError::Port);
    assert_eq!(error("10.0.0.0/8[tcp/9-1]"), SelectorError::Port);
    assert_eq!(error(""), SelectorError::Addresses);
}

#[test]
fn any_offer_is_narrowed_to_the_configured_subnet() {
    let net = selector("10.1.0.0/16");
    assert_eq!(narrow(&[net], &[TrafficSelector::ANY_IPV4, TrafficSelector::ANY_IPV6]), [net]);
}

#[test]
fn selectors_within_others_are_not_repeated() {
    let configured = [TrafficSelector::ANY_IPV4];
    let packet = selector("10.1.0.7[tcp/22]");
    let net = selector("10.1.0.0/16");
    assert_eq!(narrow(&configured, &[packet, net, packet]), [net]);
}

#[test]
fn disjoint_selectors_narrow_to_nothing() {
    assert!(narrow(&[selector("10.1.0.0/16")], &[selector("10.2.0.0/16")]).is_empty());
    assert!(narrow(&[selector("10.1.0.0/16[tcp]")], &[selector("10.1.0.0/16[udp]")]).is_empty());
    assert!(narrow(&[selector("::/0")], &[selector("0.0.0.0/0")]).is_empty());
}

#[test]
fn opaque_ports_meet_any_port_but_no_number() {
    let opaque = selector("10.0.0.0/8[tcp/opaque]");
    assert_eq!(opaque.intersect(&selector("10.0.0.0/8")), Some(opaque));
    assert_eq!(opaque.intersect(&selector("10.0.0.0/8[tcp/1-9]")), None);
    assert!(selector("10.0.0.0/8").contains(&opaque));
    assert!(!opaque.contains(&selector("10.0.0.0/8[tcp/1]")));
}

#[test]
fn an_answer_wider_than_the_offer_is_seen() {
    let offered = [selector("10.1.0.0/16"), selector("10.2.0.0/16")];
    assert!(covers(&offered, &[selector("10.1.5.0/24"), selector("10.2.0.0/16")]));
    assert!(!covers(&offered, &[selector("10.0.0.0/8")]));
}

#[test]
fn dynamic_stands_for_the_address_with_its_ports() {
    let pattern: SelectorPattern = "dynamic[udp/4789]".parse().expect("a pattern");
    assert_eq!(pattern.resolve(Ipv4Addr::new(10, 3, 0, 1).into()).to_string(), "10.3.0.1/32[17/4789]");
}

#[test]
fn the_covering_subnet_holds_a_range() {
    let range = selector("10.0.0.5-10.0.0.9");
    assert_eq!(range.prefix(), None);
    assert_eq!(range.covering_subnet(), (Ipv4Addr::new(10, 0, 0, 0).into(), 28));
    assert_eq!(TrafficSelector::ANY_IPV6.prefix(), Some(0));
    assert_eq!(TrafficSelector::ANY_IPV4.covering_subnet().1, 0);
}

#[test]
fn the_result_is_bounded() {
    let many: Vec<_> = (0..=u8::MAX)
        .flat_map(|high| [1, 3].map(|low| TrafficSelector::host(Ipv4Addr::new(10, 0, high, low).into())))
        .collect();
    assert_eq!(narrow(&[TrafficSelector::ANY_IPV4], &many).len(), NARROWED_MAX);
}

#[test]
fn the_first_offered_selector_survives_the_bound() {
    let host = |number: u32| TrafficSelector::host(Ipv4Addr::from_bits(number << 1).into());
    let configured: Vec<_> = (1..=300).map(host).collect();
    let mut offered = configured.clone();
    offered.insert(0, host(300));
    let taken = narrow(&configured, &offered);
    assert_eq!(taken.len(), NARROWED_MAX);
    assert!(taken.contains(&host(300)));
}

#[test]
fn larger_selectors_sort_before_smaller_ones_with_the_same_start() {
    let mut list = [selector("10.0.0.0/16"), selector("::/0"), selector("10.0.0.0/8")];
    list.sort();
    assert_eq!(list, [selector("10.0.0.0/8"), selector("10.0.0.0/16"), selector("::/0")]);
}

fn any_selector() -> impl Strategy<Value = TrafficSelector> {
    let addresses = prop_oneof![
        (any::<u32>(), any::<u32>())
            .prop_map(|(a, b)| (IpAddr::from(Ipv4Addr::from_bits(a)), IpAddr::from(Ipv4Addr::from_bits(b)))),
        (any::<u128>(), any::<u128>())
            .prop_map(|(a, b)| (IpAddr::from(Ipv6Addr::from_bits(a)), IpAddr::from(Ipv6Addr::from_bits(b)))),
    ];
    let ports = prop_oneof![Just((0, u16::MAX)), Just((u16::MAX, 0)), (any::<u16>(), any::<u16>())];
    (addresses, prop_oneof![Just(0u8), Just(6), Just(17), any::<u8>()], ports).prop_map(
        |((a, b), protocol, (p, q))| {
            let (p, q) = if (p, q) == (u16::MAX, 0) { (p, q) } else { (p.min(q), p.max(q)) };
            TrafficSelector::range(a.min(b), a.max(b)).expect("ordered").with_ports(protocol, p, q)
        },
    )
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,60}") {
        let _ = text.parse::<SelectorPattern>();
    }

    #[test]
    fn what_is_shown_is_read_back(ts in any_selector(), named in any::<bool>()) {
        let names = if named { ServiceNames::builtin() } else { ServiceNames::default() };
        prop_assume!(!matches!(ts.protocol, PROTOCOL_ICMP | PROTOCOL_ICMPV6));
        let text = ts.display(&names).to_string().replace("..", "-").replace("OPAQUE", "opaque");
        prop_assert_eq!(SelectorPattern::parse(&text, &names), Ok(SelectorPattern::Fixed(ts)));
    }

    #[test]
    fn an_intersection_lies_in_both(a in any_selector(), b in any_selector()) {
        prop_assert_eq!(a.intersect(&b), b.intersect(&a));
        if let Some(common) = a.intersect(&b) {
            prop_assert!(a.contains(&common) && b.contains(&common));
        }
        prop_assert_eq!(a.intersect(&a), Some(a));
    }

    #[test]
    fn a_narrowed_list_lies_in_both_lists(
        a in prop::collection::vec(any_selector(), 0..6),
        b in prop::collection::vec(any_selector(), 0..6),
    ) {
        let taken = narrow(&a, &b);
        prop_assert!(covers(&a, &taken) && covers(&b, &taken));
    }

    #[test]
    fn all_that_both_lists_allow_is_taken_and_nothing_twice(
        a in prop::collection::vec(any_selector(), 0..6),
        b in prop::collection::vec(any_selector(), 0..6),
    ) {
        let taken = narrow(&a, &b);
        let common: Vec<_> = a.iter().flat_map(|a| b.iter().filter_map(|b| a.intersect(b))).collect();
        prop_assert!(covers(&taken, &common));
        for (at, one) in taken.iter().enumerate() {
            let others = taken.iter().enumerate().filter(|(other, _)| *other != at);
            prop_assert!(!others.into_iter().any(|(_, other)| other.contains(one)), "{one} is held by another");
        }
    }

    #[test]
    fn the_first_offered_selector_is_kept_whole_where_it_fits(
        packet in any_selector(),
        mut configured in prop::collection::vec(any_selector(), 0..6),
        others in prop::collection::vec(any_selector(), 0..6),
        at in any::<prop::sample::Index>(),
    ) {
        let wide = TrafficSelector::range(packet.start, packet.end).expect("ordered");
        configured.insert(at.index(configured.len() + 1), wide);
        let offered = [vec![packet], others].concat();
        prop_assert!(covers(&narrow(&configured, &offered), &[packet]));
    }
}
