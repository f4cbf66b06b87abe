use proptest::prelude::*;

use super::*;
use crate::algorithm::Esn;

fn ike(text: &str) -> Proposal {
    Proposal::parse(Protocol::Ike, text).expect(text)
}

fn esp(text: &str) -> Proposal {
    Proposal::parse(Protocol::Esp, text).expect(text)
}

fn offer(number: u8, proposal: Proposal) -> Offer {
    Offer { number, spi: vec![0, 0, 0, number], proposal }
}

fn none(kind: TransformType) -> Transform {
    Transform { kind, id: 0, key_bits: None }
}

fn everything() -> AvailableAlgorithms {
    let lengths = [128, 192, 256];
    let ciphers =
        [EncryptionId::AES_CBC, EncryptionId::AES_GCM_16, EncryptionId::AES_CTR, EncryptionId::AES_GCM_8];
    let mut encryption: Vec<_> = ciphers.into_iter().flat_map(|id| lengths.map(|bits| (id, bits))).collect();
    encryption.extend([(EncryptionId::TRIPLE_DES_CBC, 0), (EncryptionId::CHACHA20_POLY1305, 0)]);
    AvailableAlgorithms {
        encryption,
        integrity: vec![IntegrityId::HMAC_SHA1_96, IntegrityId::HMAC_SHA2_256_128],
        prf: vec![PrfId::HMAC_SHA1, PrfId::HMAC_SHA2_256],
        ke: vec![KeMethod::MODP_2048, KeMethod::CURVE_25519, KeMethod::ECP_256, KeMethod::MODP_1024],
    }
}

#[test]
fn proposals_show_as_in_logs() {
    assert_eq!(
        ike("aes256-sha256-x25519").to_string(),
        "IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519"
    );
    assert_eq!(
        ike("aes256gcm16-prfsha384-ecp384-ke1_mlkem768").to_string(),
        "IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/ECP_384/KE1_ML_KEM_768"
    );
    assert_eq!(esp("aes256gcm16").to_string(), "ESP:AES_GCM_16_256/NO_EXT_SEQ");
    assert_eq!(esp("aes128-sha1-esn-modp2048").to_string(), "ESP:AES_CBC_128/HMAC_SHA1_96/MODP_2048/EXT_SEQ");
    assert_eq!(
        Proposal::parse(Protocol::Ah, "aes128gmac-sha256-aes128").expect("ah").to_string(),
        "AH:AES_128_GMAC/HMAC_SHA2_256_128/NO_EXT_SEQ"
    );
}

#[test]
fn a_combined_proposal_takes_its_prf_from_an_integrity_keyword_and_drops_the_keyword() {
    assert_eq!(
        ike("aes128gcm16-sha256-sha384-x25519").to_string(),
        "IKE:AES_GCM_16_128/PRF_HMAC_SHA2_256/PRF_HMAC_SHA2_384/CURVE_25519"
    );
}

#[test]
fn incomplete_proposals_say_what_is_missing() {
    let error = |protocol, text| Proposal::parse(protocol, text).expect_err(text);
    assert_eq!(error(Protocol::Ike, "aes128-aes128gcm16-sha256-x25519"), ProposalError::MixedModes);
    assert_eq!(error(Protocol::Ike, "aes128-prfsha256-x25519"), ProposalError::MissingIntegrity);
    assert_eq!(error(Protocol::Ike, "aes128gcm16-x25519"), ProposalError::MissingPrf);
    assert_eq!(error(Protocol::Ike, "aes128-sha256_96-x25519"), ProposalError::MissingPrf);
    assert_eq!(error(Protocol::Ike, "aes128-sha256-none"), ProposalError::MissingKeyExchange);
    assert_eq!(error(Protocol::Ike, "sha256-x25519"), ProposalError::MissingEncryption);
    assert_eq!(error(Protocol::Esp, "null"), ProposalError::MissingIntegrity);
    assert_eq!(error(Protocol::Ah, "aes128"), ProposalError::MissingIntegrity);
    assert_eq!(error(Protocol::Esp, "aes128-what"), ProposalError::UnknownKeyword { position: 2 });
    assert_eq!(error(Protocol::Esp, ""), ProposalError::UnknownKeyword { position: 1 });
}

#[test]
fn keywords_lead_back_to_the_same_proposal() {
    for text in
        ["aes256-sha256-prfsha512-x25519-ecp521", "aes128gcm12-prfsha256-curve448-ke2_mlkem512-ke2_none"]
    {
        assert_eq!(ike(&ike(text).keywords()), ike(text));
    }
}

#[test]
fn defaults_offer_what_is_available_group_by_group() {
    let shown = |protocol| -> Vec<String> {
        default_proposals(protocol, &everything()).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        shown(Protocol::Ike),
        [
            "IKE:AES_CBC_128/AES_CBC_192/AES_CBC_256/AES_CTR_128/AES_CTR_192/AES_CTR_256/3DES_CBC/HMAC_SHA2_256_128/\
             HMAC_SHA1_96/PRF_HMAC_SHA2_256/PRF_HMAC_SHA1/CURVE_25519/ECP_256/MODP_2048",
            "IKE:AES_GCM_16_128/AES_GCM_16_192/AES_GCM_16_256/CHACHA20_POLY1305/AES_GCM_8_128/AES_GCM_8_192/\
             AES_GCM_8_256/PRF_HMAC_SHA2_256/PRF_HMAC_SHA1/CURVE_25519/ECP_256/MODP_2048",
        ]
    );
    assert_eq!(
        shown(Protocol::Esp),
        [
            "ESP:AES_GCM_16_128/AES_GCM_16_192/AES_GCM_16_256/CURVE_25519/ECP_256/MODP_2048/KE_NONE/NO_EXT_SEQ",
            "ESP:AES_CBC_128/AES_CBC_192/AES_CBC_256/HMAC_SHA2_256_128/HMAC_SHA1_96/CURVE_25519/ECP_256/MODP_2048/\
             KE_NONE/NO_EXT_SEQ",
        ]
    );
    assert_eq!(default_proposals(Protocol::Ah, &everything()).len(), 1);
}

#[test]
fn nothing_available_means_no_default() {
    for protocol in [Protocol::Ike, Protocol::Esp, Protocol::Ah] {
        assert!(default_proposals(protocol, &AvailableAlgorithms::default()).is_empty());
    }
}

#[test]
fn a_list_may_hold_default_beside_proposals() {
    let list = ["aes256-sha256-x25519", "Default"];
    assert_eq!(Proposal::parse_list(Protocol::Ike, list, &everything()).map(|list| list.len()), Ok(3));
}

#[test]
fn the_configured_order_decides_by_default() {
    let configured = [ike("aes256-sha256-x25519"), ike("aes128-sha256-x25519")];
    let offered = [offer(1, ike("aes128-sha256-x25519")), offer(2, ike("aes256-sha256-ecp256-x25519"))];
    let chosen: Selected<IkeSuite> =
        select(&configured, &offered, Preference::Configured).expect("a common proposal");
    assert_eq!((chosen.number, chosen.spi.as_slice()), (2, [0, 0, 0, 2].as_slice()));
    assert_eq!(chosen.suite.to_string(), "IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519");
    let theirs: Selected<IkeSuite> =
        select(&configured, &offered, Preference::Offered).expect("a common proposal");
    assert_eq!(theirs.number, 1);
}

#[test]
fn within_a_proposal_the_preferred_side_orders_the_transforms() {
    let configured = [ike("aes256-aes128-sha256-ecp256-x25519")];
    let offered = [offer(1, ike("aes128-aes256-sha256-x25519-ecp256"))];
    let pick = |preference| select::<IkeSuite>(&configured, &offered, preference).expect("common").suite;
    assert_eq!(pick(Preference::Configured).key_bits, Some(256));
    assert_eq!(pick(Preference::Configured).ke, KeMethod::ECP_256);
    assert_eq!(pick(Preference::Offered).key_bits, Some(128));
    assert_eq!(pick(Preference::Offered).ke, KeMethod::CURVE_25519);
}

#[test]
fn integrity_none_beside_a_combined_cipher_is_accepted_and_repeated() {
    let mut with_none = esp("aes256gcm16");
    with_none.transforms.insert(1, none(TransformType::INTEGRITY));
    let chosen: Selected<ChildSuite> =
        select(&[esp("aes256gcm16")], &[offer(1, with_none.clone())], Preference::Configured).expect("a fit");
    assert!(chosen.proposal.transforms.contains(&none(TransformType::INTEGRITY)));
    assert_eq!(chosen.suite.integrity, None);
    assert!(accept_answer::<ChildSuite>(&[esp("aes256gcm16")], &offer(1, with_none)).is_some());
}

#[test]
fn a_combined_cipher_with_a_real_integrity_transform_does_not_fit() {
    let mut broken = esp("aes256gcm16");
    broken.transforms.push(Transform { id: 12, ..none(TransformType::INTEGRITY) });
    assert!(
        select::<ChildSuite>(&[esp("aes256gcm16")], &[offer(1, broken)], Preference::Configured).is_none()
    );
}

#[test]
fn an_unknown_type_of_transform_spoils_its_proposal_only() {
    let mut strange = ike("aes256-sha256-x25519");
    strange.transforms.push(none(TransformType(13)));
    let configured = [ike("aes256-sha256-x25519")];
    let good = offer(2, ike("aes256-sha256-x25519"));
    assert!(select::<IkeSuite>(&configured, &[offer(1, strange.clone())], Preference::Configured).is_none());
    let chosen = select::<IkeSuite>(&configured, &[offer(1, strange), good], Preference::Offered);
    assert_eq!(chosen.map(|chosen| chosen.number), Some(2));
}

#[test]
fn key_lengths_must_be_equal() {
    let mut bare = ike("aes256-sha256-x25519");
    for transform in &mut bare.transforms {
        transform.key_bits = None;
    }
    assert!(
        select::<IkeSuite>(&[ike("aes256-sha256-x25519")], &[offer(1, bare)], Preference::Configured)
            .is_none()
    );
}

#[test]
fn a_child_without_key_exchange_meets_an_offer_that_allows_none() {
    let offered = [offer(1, esp("aes128gcm16-x25519-none"))];
    let chosen: Selected<ChildSuite> =
        select(&[esp("aes128gcm16")], &offered, Preference::Configured).expect("a fit");
    assert_eq!(chosen.suite.ke, None);
    assert!(chosen.proposal.transforms.contains(&none(TransformType::KE)));
    let demanding = [offer(1, esp("aes128gcm16-x25519"))];
    assert!(select::<ChildSuite>(&[esp("aes128gcm16")], &demanding, Preference::Configured).is_none());
    assert!(
        select::<ChildSuite>(
            &[esp("aes128gcm16").without_ke()],
            &[offer(1, demanding[0].proposal.without_ke())],
            Preference::Configured
        )
        .is_some()
    );
}

#[test]
fn a_missing_sequence_number_transform_means_32_bits() {
    let mut offered = esp("aes128gcm16");
    offered.transforms.retain(|transform| transform.kind != TransformType::SN);
    let suite =
        select::<ChildSuite>(&[esp("aes128gcm16")], &[offer(1, offered.clone())], Preference::Configured);
    assert_eq!(suite.map(|chosen| chosen.suite.esn), Some(Esn::Disabled));
    assert!(
        select::<ChildSuite>(&[esp("aes128gcm16-esn")], &[offer(1, offered)], Preference::Configured)
            .is_none()
    );
}

#[test]
fn an_additional_key_exchange_is_demanded_unless_none_is_allowed() {
    let plain = [offer(1, ike("aes256-sha256-x25519"))];
    let fits =
        |configured: &str| select::<IkeSuite>(&[ike(configured)], &plain, Preference::Configured).is_some();
    assert!(!fits("aes256-sha256-x25519-ke1_mlkem768"));
    assert!(fits("aes256-sha256-x25519-ke1_mlkem768-ke1_none"));
    let both = [offer(1, ike("aes256-sha256-x25519-ke1_mlkem768"))];
    let chosen =
        select::<IkeSuite>(&[ike("aes256-sha256-x25519-ke1_mlkem768")], &both, Preference::Configured);
    let rounds: Vec<_> = chosen.expect("a fit").proposal.additional_kes().collect();
    assert_eq!(rounds, [(TransformType(6), KeMethod::ML_KEM_768)]);
}

#[test]
fn an_answer_must_choose_one_transform_of_each_type_from_the_proposal_it_names() {
    let sent = [ike("aes256-aes128-sha256-x25519"), ike("aes256gcm16-prfsha256-x25519")];
    assert!(accept_answer::<IkeSuite>(&sent, &offer(1, ike("aes128-sha256-x25519"))).is_some());
    assert!(accept_answer::<IkeSuite>(&sent, &offer(2, ike("aes256gcm16-prfsha256-x25519"))).is_some());
    assert!(accept_answer::<IkeSuite>(&sent, &offer(2, ike("aes128-sha256-x25519"))).is_none());
    assert!(accept_answer::<IkeSuite>(&sent, &offer(1, ike("aes256-aes128-sha256-x25519"))).is_none());
    assert!(accept_answer::<IkeSuite>(&sent, &offer(0, ike("aes128-sha256-x25519"))).is_none());
    assert!(accept_answer::<IkeSuite>(&sent, &offer(3, ike("aes128-sha256-x25519"))).is_none());
}

#[test]
fn ah_suites_have_integrity_and_no_cipher() {
    let ah = Proposal::parse(Protocol::Ah, "sha256").expect("ah");
    let chosen: Selected<ChildSuite> =
        select(std::slice::from_ref(&ah), &[offer(1, ah.clone())], Preference::Configured).expect("a fit");
    assert_eq!(chosen.suite.to_string(), "AH:HMAC_SHA2_256_128/NO_EXT_SEQ");
}

fn any_proposal() -> impl Strategy<Value = Proposal> {
    let protocol = prop_oneof![Just(Protocol::Ike), Just(Protocol::Esp), Just(Protocol::Ah)];
    let bits = prop_oneof![Just(None), Just(Some(128)), Just(Some(256)), any::<Option<u16>>()];
    let transform = (0u8..14, 0u16..40, bits).prop_map(|(kind, id, key_bits)| Transform {
        kind: TransformType(kind),
        id,
        key_bits,
    });
    (protocol, prop::collection::vec(transform, 0..20))
        .prop_map(|(protocol, transforms)| Proposal { protocol, transforms })
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "[a-z0-9_-]{0,60}") {
        for protocol in [Protocol::Ike, Protocol::Esp, Protocol::Ah] {
            let _ = Proposal::parse(protocol, &text);
        }
    }

    #[test]
    fn what_is_chosen_was_offered_and_is_configured(ours in any_proposal(), theirs in any_proposal()) {
        let sent = [ours];
        let offered = [offer(1, theirs.clone())];
        if let Some(chosen) = select::<IkeSuite>(&sent, &offered, Preference::Configured) {
            prop_assert!(chosen.proposal.transforms.iter().all(|t| theirs.transforms.contains(t)));
            prop_assert!(accept_answer::<IkeSuite>(std::slice::from_ref(&theirs), &offer(1, chosen.proposal)).is_some());
        }
        if let Some(chosen) = select::<ChildSuite>(&sent, &offered, Preference::Offered) {
            prop_assert!(chosen.proposal.transforms.iter().all(|t| theirs.transforms.contains(t)));
            prop_assert!(accept_answer::<ChildSuite>(&[theirs], &offer(1, chosen.proposal)).is_some());
        }
    }
}
