//! Defects of rVRRPd 0.1.3, each with the test that shows that it is not here.

const LISTED: &[(&str, &str)] = &[
    (
        "any octet that is larger decides between equal priorities",
        "equal_priorities_are_decided_by_the_address_as_a_number",
    ),
    (
        "with two addresses on the interface the count is 2 and the address is one",
        "v2_advertisement_has_the_octets_of_the_rfc",
    ),
    ("such packets of others", "rvrrpd_s_count_mismatch_is_taken_by_a_switch_only"),
    ("count and address list are believed by the frame's length", "padding_behind_the_ip_packet_is_left_out"),
    ("rfc3768 = false makes packets that kernels drop", "half_a_definition_is_warned_of"),
    ("timers.advert changes a field of the packet only", "advert_of_timers_is_the_interval"),
    (
        "takeover after whole seconds, the second one after up to two periods",
        "v2_router_takes_over_after_3609_ms_and_advertises_each_second",
    ),
    ("priority 0 makes nothing faster", "priority_zero_leaves_the_skew_only"),
    ("an owner advertises once", "owner_goes_on_advertising"),
    ("p1 as the manual spells it ends it", "both_spellings_of_p1_are_taken"),
    ("names of interfaces with capitals never match", "interfaces_with_capitals_are_taken"),
    ("wrong values panic", "wrong_values_name_directive_and_line"),
    ("unknown directives are ignored in silence", "unknown_directives_are_named"),
    ("client_api without [api] panics", "the_api_moves_with_the_file_and_ends_with_it"),
    (
        "MAC address, flags and routes of the interface are left changed",
        "rvrrpd_s_file_is_read_again_on_sighup",
    ),
    ("no reload", "a_file_that_is_read_again_touches_only_what_changed"),
    ("secrets, hashes and the key in answers", "secrets_are_in_no_answer"),
    ("no [protocols]: the API hangs for ever", "a_file_without_routes_is_answered_by_null"),
    ("/run/protocols/static is refused to all", "static_routes_are_answered_to_whoever_has_a_session"),
    ("made-up interface names in answers", "interface_is_the_one_that_was_configured_in_either_mode"),
    ("sessions never end", "a_session_ends"),
    ("and outlive their user", "a_session_ends_with_its_user"),
    ("users can be enumerated by time", "an_unknown_user_takes_as_long_to_refuse_as_a_known_one"),
    ("clients get each other's answers", "fifty_clients_at_once_get_their_own_answers"),
    ("cookies that are no numbers: 500", "cookies_that_make_no_sense_are_refused_without_an_error_of_ours"),
    ("TLS 1.2 only", "tls_of_both_versions_is_spoken_and_cookies_are_secure"),
    ("an unreadable key is a panic", "a_key_that_cannot_be_used_is_an_error_with_its_file"),
    ("the password is in the list of processes", "entries_of_rvrrpd_users_are_made_and_checked"),
];

#[test]
fn every_listed_defect_has_a_test() {
    let sources = [
        include_str!("defects.rs"),
        include_str!("replay.rs"),
        include_str!("wire.rs"),
        include_str!("../site/tests.rs"),
        include_str!("../../../vrrp/rvrrpd/tests/file.rs"),
        include_str!("../../../vrrp/proto/tests/conformance/encoding.rs"),
        include_str!("../../../vrrp/proto/tests/conformance/timers.rs"),
        include_str!("../../../vrrp/proto/tests/conformance/transitions.rs"),
        include_str!("../../../vrrp/proto/tests/conformance/validation.rs"),
        include_str!("../../../../charond/tests/program.rs"),
        include_str!("../../../../testing/vrrp/conformance.py"),
    ];
    for (defect, test) in LISTED {
        let declared = [format!("fn {test}()"), format!("def {test}(wire, binaries)")];
        let is_there = sources.iter().any(|source| declared.iter().any(|declared| source.contains(declared)));
        assert!(is_there, "{defect}: no test {test}");
    }
}
