//! Which test holds which case.

use std::collections::BTreeMap;

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

/// Cases that need a host: its ARP and neighbour answers, its filters, its other managers, crashes, load, peers.
const OF_THE_SHELL: &[u8] = &[63, 64, 65, 66, 67, 68, 71, 72, 73];

/// The REST client API's.
const OF_THE_HTTP_API: &[u8] = &[74];

#[test]
fn every_case_has_one_place_and_every_test_exists() {
    let sources = [
        include_str!("encoding.rs"),
        include_str!("fuzzed.rs"),
        include_str!("group.rs"),
        include_str!("reload.rs"),
        include_str!("timers.rs"),
        include_str!("transitions.rs"),
        include_str!("validation.rs"),
    ];
    let mut places = BTreeMap::new();
    for (case, test) in HERE {
        let declared = format!("#[test]\nfn {test}()");
        assert!(sources.iter().any(|source| source.contains(&declared)), "case {case}: no test {test}");
        *places.entry(*case).or_insert(0) += 1;
    }
    for case in OF_THE_SHELL.iter().chain(OF_THE_HTTP_API) {
        *places.entry(*case).or_insert(0) += 1;
    }
    assert!(places.keys().copied().eq(1..=74), "{places:?}");
    assert!(places.values().all(|places| *places == 1), "{places:?}");
}
