//! Which test holds which case.

use std::collections::BTreeSet;

/// Cases that one router holds without a network, and their tests.
const HERE: &[(u8, &str)] = &[
    (1, "v2_advertisement_has_the_octets_of_the_rfc"),
    (2, "v3_ipv4_advertisement_has_12_octets_and_no_authentication"),
    (3, "v3_ipv6_advertisement_has_the_link_local_address_first"),
    (4, "v3_interval_of_4095_centiseconds_fills_twelve_bits"),
    (5, "v2_checksum_covers_the_authentication_data"),
    (6, "v3_ipv4_checksum_is_without_pseudo_header_by_default"),
    (7, "v3_ipv4_checksum_in_pseudo_mode_is_keepalived_s"),
    (8, "v3_ipv6_checksum_covers_the_pseudo_header"),
    (9, "v2_advertisement_of_two_addresses_has_24_octets"),
    (10, "simple_password_is_padded_or_cut_to_eight_octets"),
    (11, "p0_and_p1_reproduce_the_recorded_vectors"),
    (12, "ttl_of_254_is_dropped"),
    (13, "hop_limit_of_64_is_dropped"),
    (14, "unknown_versions_are_dropped"),
    (15, "v2_packet_is_dropped_by_a_v3_router"),
    (16, "other_packet_types_are_dropped"),
    (17, "seven_octets_are_dropped"),
    (18, "count_of_two_with_one_address_is_dropped"),
    (19, "count_of_one_with_two_addresses_is_dropped"),
    (20, "v2_packet_without_authentication_data_is_dropped"),
    (21, "v3_count_of_zero_is_dropped"),
    (22, "count_of_255_is_read_to_the_end"),
    (23, "checksum_that_is_off_by_one_is_dropped"),
    (24, "both_zeros_of_ones_complement_are_right"),
    (25, "unknown_vrid_is_counted"),
    (26, "vrid_zero_is_counted"),
    (27, "v2_drops_another_interval"),
    (28, "v3_learns_another_interval_and_counts_it"),
    (29, "v3_reserved_bits_are_ignored"),
    (30, "authentication_type_must_be_the_configured_one"),
    (31, "unknown_authentication_type_is_dropped"),
    (32, "wrong_password_is_counted"),
    (33, "other_addresses_are_counted_and_v2_drops_them_unless_the_owner_sent_them"),
    (34, "padding_behind_the_ip_packet_is_left_out"),
    (35, "ip_options_are_skipped"),
    (36, "ip_fragment_is_dropped"),
    (37, "own_advertisement_that_comes_back_is_told_once"),
    (38, "other_family_is_another_router"),
    (39, "owner_does_not_yield_to_an_owner"),
    (40, "truncations_and_flipped_bits_change_nothing"),
    (41, "v2_router_takes_over_after_3609_ms_and_advertises_each_second"),
    (42, "owner_is_active_at_once"),
    (43, "v3_priority_200_takes_over_after_3218_75_ms"),
    (44, "v3_interval_of_10_centiseconds_takes_over_after_30_and_the_skew"),
    (45, "v3_backup_waits_as_long_as_the_active_router_s_interval_says"),
    (46, "priority_zero_leaves_the_skew_only"),
    (47, "higher_priority_each_second_keeps_it_backup"),
    (48, "lower_priority_is_preempted_as_if_it_were_silent"),
    (49, "lower_priority_is_followed_without_preemption"),
    (50, "equal_priority_is_followed_whatever_the_address"),
    (51, "preemption_waits_for_its_delay_and_a_higher_priority_cancels_it"),
    (52, "active_router_yields_to_a_higher_priority_at_once"),
    (53, "equal_priorities_are_decided_by_the_address_as_a_number"),
    (54, "ipv6_addresses_are_compared_in_all_16_octets"),
    (55, "active_router_answers_priority_zero_and_restarts_its_timer"),
    (56, "active_router_asserts_itself_against_a_lower_priority"),
    (57, "stopped_active_router_leaves_with_one_advertisement_of_priority_zero"),
    (58, "interface_that_goes_down_ends_the_role_and_a_new_one_begins_as_backup"),
    (59, "lost_primary_address_ends_the_role"),
    (60, "priority_that_changes_at_run_time_counts_at_once"),
    (61, "addresses_are_announced_after_the_first_advertisement"),
    (62, "neighbour_advertisement_has_router_and_override_set_and_the_virtual_mac"),
    (69, "same_definition_again_changes_nothing"),
    (70, "group_leaves_active_when_one_member_loses_its_interface"),
];

/// Cases that need a host: its ARP and neighbour answers, its filters, its other managers, crashes, load, peers. `testing/vrrp/run` plays
/// them in namespaces; those of 57 to 61, 69 and 70 are played there as well.
const IN_NAMESPACES: &[(u8, &str)] = &[
    (63, "answers_arp_once_with_the_virtual_mac_and_as_backup_never"),
    (64, "answers_solicitations_with_the_virtual_mac_and_defends_the_address"),
    (65, "without_accept_mode_packets_are_dropped_but_arp_is_answered"),
    (66, "a_backup_sends_no_frame_with_the_virtual_mac"),
    (67, "an_address_that_others_remove_is_put_back"),
    (68, "what_a_killed_daemon_left_is_removed_and_settings_are_restored"),
    (71, "under_load_255_routers_see_no_false_takeover"),
    (72, "unicast_peers_elect_without_multicast"),
];

/// The same cases again, with what crosses the wire and what the host has.
const AGAIN_IN_NAMESPACES: &[(u8, &str)] = &[
    (57, "a_shutdown_sends_one_advert_of_priority_zero_and_leaves_nothing"),
    (58, "an_interface_may_come_late_vanish_and_come_back"),
    (59, "an_interface_may_come_late_vanish_and_come_back"),
    (60, "tracking_changes_the_priority_and_the_role"),
    (61, "announces_after_the_first_advert_from_the_virtual_mac"),
    (69, "a_reload_without_change_misses_no_advert"),
    (70, "routers_of_a_group_change_together"),
];

/// Case 72 with keepalived and FRR, each in both roles: pairs of `testing/vrrp/matrix.py`.
const MATRIX: &[&str] = &[
    "\"keepalived\", \"charond\"",
    "\"charond\", \"keepalived\"",
    "\"frr\", \"charond\"",
    "\"charond\", \"frr\"",
];

/// Case 73: what a real rVRRPd sent, took and refused, byte for byte.
const RECORDED: &[(u8, &str)] = &[
    (73, "every_advertisement_of_rvrrpd_is_what_we_send_and_is_accepted"),
    (73, "frames_that_rvrrpd_was_seen_to_accept_are_those_that_we_send"),
    (73, "rvrrpd_s_count_mismatch_is_taken_by_a_switch_only"),
];

/// The REST client API's.
const REST: &[(u8, &str)] = &[
    (74, "every_recorded_exchange_is_answered_the_same"),
    (74, "secrets_are_in_no_answer"),
    (74, "static_routes_are_answered_to_whoever_has_a_session"),
    (74, "a_session_ends"),
    (74, "fifty_clients_at_once_get_their_own_answers"),
    (74, "a_file_without_routes_is_answered_by_null"),
];

#[test]
fn every_case_has_a_place_and_every_test_exists() {
    let here = [
        include_str!("encoding.rs"),
        include_str!("fuzzed.rs"),
        include_str!("golden.rs"),
        include_str!("group.rs"),
        include_str!("reload.rs"),
        include_str!("timers.rs"),
        include_str!("transitions.rs"),
        include_str!("validation.rs"),
    ]
    .concat();
    let rest = [
        include_str!("../../../../http-api/src/tests/defects.rs"),
        include_str!("../../../../http-api/src/tests/replay.rs"),
        include_str!("../../../../http-api/src/tests/wire.rs"),
    ]
    .concat();
    let namespaces = include_str!("../../../../../testing/vrrp/conformance.py");
    let matrix = include_str!("../../../../../testing/vrrp/matrix.py");
    let mut cases = BTreeSet::new();
    let mut expect = |all: &[(u8, &str)], source: &str, declared: &dyn Fn(&str) -> String| {
        for (case, test) in all {
            assert!(source.contains(&declared(test)), "case {case}: no test {test}");
            cases.insert(*case);
        }
    };
    expect(HERE, &here, &|test| format!("#[test]\nfn {test}()"));
    expect(RECORDED, &here, &|test| format!("#[test]\nfn {test}()"));
    expect(REST, &rest, &|test| format!("fn {test}()"));
    expect(IN_NAMESPACES, namespaces, &|test| format!("@case\ndef {test}(wire, binaries)"));
    expect(AGAIN_IN_NAMESPACES, namespaces, &|test| format!("@case\ndef {test}(wire, binaries)"));
    for pair in MATRIX {
        assert!(matrix.contains(pair), "{pair}");
    }
    assert!(cases.into_iter().eq(1..=74));
}
