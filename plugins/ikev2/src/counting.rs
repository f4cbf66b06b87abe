//! What is counted of the messages of IKE_SAs.

use charon_core::counters::Counter;
use charon_types::id::Role;
use ikev2_proto::tally::{Tallied, Way};
use ikev2_proto::wire::{ExchangeType, MessageKind};

/// The counter of an IKE_SA rekeyed: whoever began it is the initiator of the new one.
pub(crate) fn of_rekeying(role: Role) -> Counter {
    match role {
        Role::Initiator => Counter::IkeRekeyInit,
        Role::Responder => Counter::IkeRekeyResp,
    }
}

/// The counter of what an IKE_SA has noted.
pub(crate) fn counter_of(tallied: Tallied) -> Option<Counter> {
    use MessageKind::{Request, Response};
    use Way::{In, Out};
    let Tallied::Message { exchange, kind, way } = tallied else { return Some(Counter::Invalid) };
    Some(match (exchange, way, kind) {
        (ExchangeType::IKE_SA_INIT, In, Request) => Counter::IkeInitInReq,
        (ExchangeType::IKE_SA_INIT, In, Response) => Counter::IkeInitInResp,
        (ExchangeType::IKE_SA_INIT, Out, Request) => Counter::IkeInitOutReq,
        (ExchangeType::IKE_SA_INIT, Out, Response) => Counter::IkeInitOutResp,
        (ExchangeType::IKE_AUTH, In, Request) => Counter::IkeAuthInReq,
        (ExchangeType::IKE_AUTH, In, Response) => Counter::IkeAuthInResp,
        (ExchangeType::IKE_AUTH, Out, Request) => Counter::IkeAuthOutReq,
        (ExchangeType::IKE_AUTH, Out, Response) => Counter::IkeAuthOutResp,
        (ExchangeType::CREATE_CHILD_SA, In, Request) => Counter::CreateChildInReq,
        (ExchangeType::CREATE_CHILD_SA, In, Response) => Counter::CreateChildInResp,
        (ExchangeType::CREATE_CHILD_SA, Out, Request) => Counter::CreateChildOutReq,
        (ExchangeType::CREATE_CHILD_SA, Out, Response) => Counter::CreateChildOutResp,
        (ExchangeType::INFORMATIONAL, In, Request) => Counter::InfoInReq,
        (ExchangeType::INFORMATIONAL, In, Response) => Counter::InfoInResp,
        (ExchangeType::INFORMATIONAL, Out, Request) => Counter::InfoOutReq,
        (ExchangeType::INFORMATIONAL, Out, Response) => Counter::InfoOutResp,
        _ => return None,
    })
}
