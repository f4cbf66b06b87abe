//! What an operator should hear of, by strongSwan's names.

macro_rules! alerts {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// What an operator should hear of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Alert {
            $(#[doc = $doc] $variant,)*
        }

        impl Alert {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// strongSwan's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

alerts! {
    RadiusNotResponding "radius-not-responding" "No RADIUS server answers.";
    ShutdownSignal "shutdown-signal" "The daemon was told to end.";
    LocalAuthFailed "local-auth-failed" "The peer does not accept us, or we have nothing to prove who we are.";
    PeerAuthFailed "peer-auth-failed" "The peer could not prove who it is.";
    PeerAddrFailed "peer-addr-failed" "The peer's name cannot be resolved.";
    PeerInitUnreachable "peer-init-unreachable" "The peer did not answer a first request.";
    InvalidIkeSpi "invalid-ike-spi" "A message for no IKE_SA.";
    ParseErrorHeader "parse-error-header" "A message whose header cannot be understood.";
    ParseErrorBody "parse-error-body" "A message whose payloads cannot be understood.";
    RetransmitSend "retransmit-send" "A request was sent again.";
    RetransmitSendCleared "retransmit-send-cleared" "A request sent again was answered.";
    RetransmitSendTimeout "retransmit-send-timeout" "A request was never answered.";
    RetransmitReceive "retransmit-receive" "A request was received again.";
    HalfOpenTimeout "half-open-timeout" "A peer did not complete its handshake.";
    ProposalMismatchIke "proposal-mismatch-ike" "No proposal for the IKE_SA in common.";
    ProposalMismatchChild "proposal-mismatch-child" "No proposal for a CHILD_SA in common.";
    TsMismatch "ts-mismatch" "No traffic selectors in common.";
    TsNarrowed "ts-narrowed" "The peer narrowed traffic selectors.";
    InstallChildSaFailed "install-child-sa-failed" "The kernel did not take a CHILD_SA.";
    InstallChildPolicyFailed "install-child-policy-failed" "The kernel did not take a policy.";
    UniqueReplace "unique-replace" "An IKE_SA was replaced by a newer one.";
    UniqueKeep "unique-keep" "A newer IKE_SA was refused.";
    KeepOnChildSaFailure "keep-on-child-sa-failure" "A CHILD_SA failed, its IKE_SA stays.";
    VipFailure "vip-failure" "No virtual address.";
    AuthorizationFailed "authorization-failed" "A policy refused the peer.";
    IkeSaExpired "ike-sa-expired" "An IKE_SA ended by its lifetime.";
    CertExpired "cert-expired" "A certificate is not valid now.";
    CertRevoked "cert-revoked" "A certificate is revoked.";
    CertValidationFailed "cert-validation-failed" "A certificate's status is not known.";
    CertNoIssuer "cert-no-issuer" "No issuer of a certificate is known.";
    CertUntrustedRoot "cert-untrusted-root" "The root of a certificate is not trusted.";
    CertExceededPathLen "cert-exceeded-path-len" "A path is longer than its authorities allow.";
    CertPolicyViolation "cert-policy-violation" "A policy of a path is not met.";
}
