//! Notify payload (RFC 7296 §3.10): protocol 1, SPI size 1, type 2, SPI, data.

use std::fmt;

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::rest;
use nom::number::complete::{be_u8, be_u16};

use super::complete;

/// First status type; below are errors.
const STATUS_MIN: u16 = 16384;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Protocol of `spi`, 0 without one.
    pub protocol: u8,
    /// SPI, often empty.
    pub spi: Vec<u8>,
    /// Type.
    pub kind: NotifyType,
    /// Data.
    pub data: Vec<u8>,
}

impl Notify {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        complete(body, |input| {
            let (input, (protocol, spi_len, kind)) = (be_u8, be_u8, be_u16).parse(input)?;
            (take(spi_len), rest)
                .map(|(spi, data): (&[u8], &[u8])| Self {
                    protocol,
                    spi: spi.to_vec(),
                    kind: NotifyType(kind),
                    data: data.to_vec(),
                })
                .parse(input)
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.protocol, u8::try_from(self.spi.len()).unwrap_or(u8::MAX)]);
        out.extend_from_slice(&self.kind.0.to_be_bytes());
        out.extend_from_slice(&self.spi);
        out.extend_from_slice(&self.data);
    }
}

/// Type of a notify. Open: unknown errors fail the request they answer, unknown statuses are ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotifyType(pub u16);

macro_rules! notify_types {
    ($($constant:ident = $value:literal;)*) => {
        impl NotifyType {
            $(#[doc = concat!(stringify!($value), ": ", stringify!($constant))] pub const $constant: Self = Self($value);)*

            /// Name in the registry.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($constant)),)*
                    _ => None,
                }
            }
        }
    };
}

notify_types! {
    UNSUPPORTED_CRITICAL_PAYLOAD = 1;
    INVALID_IKE_SPI = 4;
    INVALID_MAJOR_VERSION = 5;
    INVALID_SYNTAX = 7;
    INVALID_MESSAGE_ID = 9;
    INVALID_SPI = 11;
    NO_PROPOSAL_CHOSEN = 14;
    INVALID_KE_PAYLOAD = 17;
    AUTHENTICATION_FAILED = 24;
    SINGLE_PAIR_REQUIRED = 34;
    NO_ADDITIONAL_SAS = 35;
    INTERNAL_ADDRESS_FAILURE = 36;
    FAILED_CP_REQUIRED = 37;
    TS_UNACCEPTABLE = 38;
    INVALID_SELECTORS = 39;
    UNACCEPTABLE_ADDRESSES = 40;
    UNEXPECTED_NAT_DETECTED = 41;
    USE_ASSIGNED_HOA = 42;
    TEMPORARY_FAILURE = 43;
    CHILD_SA_NOT_FOUND = 44;
    INVALID_GROUP_ID = 45;
    AUTHORIZATION_FAILED = 46;
    STATE_NOT_FOUND = 47;
    TS_MAX_QUEUE = 48;
    REGISTRATION_FAILED = 49;
    INITIAL_CONTACT = 16384;
    SET_WINDOW_SIZE = 16385;
    ADDITIONAL_TS_POSSIBLE = 16386;
    IPCOMP_SUPPORTED = 16387;
    NAT_DETECTION_SOURCE_IP = 16388;
    NAT_DETECTION_DESTINATION_IP = 16389;
    COOKIE = 16390;
    USE_TRANSPORT_MODE = 16391;
    HTTP_CERT_LOOKUP_SUPPORTED = 16392;
    REKEY_SA = 16393;
    ESP_TFC_PADDING_NOT_SUPPORTED = 16394;
    NON_FIRST_FRAGMENTS_ALSO = 16395;
    MOBIKE_SUPPORTED = 16396;
    ADDITIONAL_IP4_ADDRESS = 16397;
    ADDITIONAL_IP6_ADDRESS = 16398;
    NO_ADDITIONAL_ADDRESSES = 16399;
    UPDATE_SA_ADDRESSES = 16400;
    COOKIE2 = 16401;
    NO_NATS_ALLOWED = 16402;
    AUTH_LIFETIME = 16403;
    MULTIPLE_AUTH_SUPPORTED = 16404;
    ANOTHER_AUTH_FOLLOWS = 16405;
    REDIRECT_SUPPORTED = 16406;
    REDIRECT = 16407;
    REDIRECTED_FROM = 16408;
    TICKET_LT_OPAQUE = 16409;
    TICKET_REQUEST = 16410;
    TICKET_ACK = 16411;
    TICKET_NACK = 16412;
    TICKET_OPAQUE = 16413;
    LINK_ID = 16414;
    USE_WESP_MODE = 16415;
    ROHC_SUPPORTED = 16416;
    EAP_ONLY_AUTHENTICATION = 16417;
    CHILDLESS_IKEV2_SUPPORTED = 16418;
    QUICK_CRASH_DETECTION = 16419;
    IKEV2_MESSAGE_ID_SYNC_SUPPORTED = 16420;
    IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED = 16421;
    IKEV2_MESSAGE_ID_SYNC = 16422;
    IPSEC_REPLAY_COUNTER_SYNC = 16423;
    SECURE_PASSWORD_METHODS = 16424;
    PSK_PERSIST = 16425;
    PSK_CONFIRM = 16426;
    ERX_SUPPORTED = 16427;
    IFOM_CAPABILITY = 16428;
    GROUP_SENDER = 16429;
    IKEV2_FRAGMENTATION_SUPPORTED = 16430;
    SIGNATURE_HASH_ALGORITHMS = 16431;
    CLONE_IKE_SA_SUPPORTED = 16432;
    CLONE_IKE_SA = 16433;
    PUZZLE = 16434;
    USE_PPK = 16435;
    PPK_IDENTITY = 16436;
    NO_PPK_AUTH = 16437;
    INTERMEDIATE_EXCHANGE_SUPPORTED = 16438;
    IP4_ALLOWED = 16439;
    IP6_ALLOWED = 16440;
    ADDITIONAL_KEY_EXCHANGE = 16441;
    USE_AGGFRAG = 16442;
    SUPPORTED_AUTH_METHODS = 16443;
    SA_RESOURCE_INFO = 16444;
    USE_PPK_INT = 16445;
    PPK_IDENTITY_KEY = 16446;
    IKE_SA_INIT_FULL_TRANSCRIPT_AUTH = 16447;
    USE_BEET_MODE = 40961;
}

/// The abbreviations of strongSwan's log.
const SHORT_NAMES: &[(NotifyType, &str)] = &[
    (NotifyType::INVALID_MAJOR_VERSION, "INVAL_MAJOR"),
    (NotifyType::INVALID_SYNTAX, "INVAL_SYN"),
    (NotifyType::NO_PROPOSAL_CHOSEN, "NO_PROP"),
    (NotifyType::INVALID_KE_PAYLOAD, "INVAL_KE"),
    (NotifyType::AUTHENTICATION_FAILED, "AUTH_FAILED"),
    (NotifyType::NO_ADDITIONAL_SAS, "NO_ADD_SAS"),
    (NotifyType::TS_UNACCEPTABLE, "TS_UNACCEPT"),
    (NotifyType::TEMPORARY_FAILURE, "TEMP_FAIL"),
    (NotifyType::CHILD_SA_NOT_FOUND, "NO_CHILD_SA"),
    (NotifyType::INITIAL_CONTACT, "INIT_CONTACT"),
    (NotifyType::NAT_DETECTION_SOURCE_IP, "NATD_S_IP"),
    (NotifyType::NAT_DETECTION_DESTINATION_IP, "NATD_D_IP"),
    (NotifyType::USE_TRANSPORT_MODE, "USE_TRANSP"),
    (NotifyType::USE_BEET_MODE, "BEET_MODE"),
    (NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED, "ESP_TFC_PAD_N"),
    (NotifyType::MOBIKE_SUPPORTED, "MOBIKE_SUP"),
    (NotifyType::ADDITIONAL_IP4_ADDRESS, "ADD_4_ADDR"),
    (NotifyType::ADDITIONAL_IP6_ADDRESS, "ADD_6_ADDR"),
    (NotifyType::NO_ADDITIONAL_ADDRESSES, "NO_ADD_ADDR"),
    (NotifyType::UPDATE_SA_ADDRESSES, "UPD_SA_ADDR"),
    (NotifyType::NO_NATS_ALLOWED, "NO_NATS"),
    (NotifyType::INTERNAL_ADDRESS_FAILURE, "INT_ADDR_FAIL"),
    (NotifyType::FAILED_CP_REQUIRED, "FAIL_CP_REQ"),
    (NotifyType::MULTIPLE_AUTH_SUPPORTED, "MULT_AUTH"),
    (NotifyType::REDIRECT_SUPPORTED, "REDIR_SUP"),
    (NotifyType::EAP_ONLY_AUTHENTICATION, "EAP_ONLY"),
    (NotifyType::CHILDLESS_IKEV2_SUPPORTED, "CHDLESS_SUP"),
    (NotifyType::IKEV2_MESSAGE_ID_SYNC_SUPPORTED, "MSG_ID_SYN_SUP"),
    (NotifyType::IKEV2_FRAGMENTATION_SUPPORTED, "FRAG_SUP"),
    (NotifyType::SIGNATURE_HASH_ALGORITHMS, "HASH_ALG"),
];

impl NotifyType {
    /// Whether it reports an error.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < STATUS_MIN
    }

    /// The name that the log's list of payloads shows.
    #[must_use]
    pub fn short_name(self) -> String {
        SHORT_NAMES
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or_else(|| self.to_string(), |(_, name)| (*name).to_owned())
    }
}

impl fmt::Display for NotifyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "({})", self.0),
        }
    }
}

impl fmt::Debug for NotifyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotifyType({self})")
    }
}
