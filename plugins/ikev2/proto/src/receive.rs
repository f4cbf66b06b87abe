//! What an IKE_SA receives: message ids, repetition, decryption, reassembly; then on to the states.

use charon_types::endpoint::Path;
use charon_types::id::Role;

use crate::failure::{Incompatibility, Misbehaviour};
use crate::ike_sa::IkeSa;
use crate::sa::{Cx, Processing, Sa};
use crate::state::State;
use crate::tally::Way;
use crate::text::payload_list;
use crate::window::{Arrival, Digest};
use crate::wire::message::parse_chain;
use crate::wire::protect::{self, Opened, Plaintext};
use crate::wire::{ExchangeType, Header, Message, MessageKind, ParseError, Title};

impl IkeSa {
    /// See [`IkeSa::handle_datagram`].
    pub(crate) fn on_datagram(&mut self, cx: Cx<'_>, path: Path, datagram: &[u8]) {
        if matches!(self.state, State::Finished) || datagram.len() > cx.env.settings.packet_len_max {
            return;
        }
        tracing::info!(
            target: "NET",
            "received packet: from {}[{}] to {}[{}] ({} bytes)",
            path.remote.ip(),
            path.remote.port(),
            path.local.ip(),
            path.local.port(),
            datagram.len(),
        );
        let header = match Header::parse(datagram) {
            Ok(header) => header,
            Err(error) => return tracing::info!(target: "NET", "message ignored: {error}"),
        };
        if !self.sa.owns(&header) {
            return tracing::info!(target: "NET", "message of another IKE_SA ignored");
        }
        match (header.exchange, header.kind) {
            (ExchangeType::IKE_SA_INIT, MessageKind::Request) => self.on_init_request(cx, path, datagram),
            (ExchangeType::IKE_SA_INIT, MessageKind::Response) => self.on_init_response(cx, path, datagram),
            (_, MessageKind::Request) => self.on_sealed_request(cx, path, &header, datagram),
            (_, MessageKind::Response) => self.on_sealed_response(cx, path, &header, datagram),
        }
    }

    /// Only the request that made this IKE_SA is answered, byte for byte as before.
    fn on_init_request(&mut self, cx: Cx<'_>, path: Path, datagram: &[u8]) {
        let waits = matches!(self.state, State::AuthExpectRequest(_));
        let digest = Digest::of(cx.env.crypto, datagram);
        if self.sa.role == Role::Responder && waits && self.sa.inbound.repeat(&digest).is_some() {
            tracing::info!(target: "IKE", "received retransmit of request with ID 0, retransmitting response");
            self.sa.repeat_answer(cx, path);
        }
    }

    fn on_init_response(&mut self, cx: Cx<'_>, path: Path, datagram: &[u8]) {
        if self.sa.role != Role::Initiator || path.remote.ip() != self.sa.path.remote.ip() {
            return;
        }
        let answer = match Message::parse(datagram) {
            Ok(answer) => answer,
            Err(error) => {
                self.sa.tally.note_invalid();
                return tracing::info!(target: "ENC", "IKE_SA_INIT response ignored: {error}");
            }
        };
        match std::mem::replace(&mut self.state, State::Finished) {
            State::InitExpectInit(state) => {
                log_parsed(&answer);
                self.sa.tally.note_message(answer.header.exchange, answer.header.kind, Way::In);
                self.sa.clock.heard = cx.now.mono;
                let next = state.handle(&mut self.sa, cx, &answer, datagram);
                self.settle(cx, next);
            }
            state => self.state = state,
        }
    }

    fn on_sealed_request(&mut self, cx: Cx<'_>, path: Path, header: &Header, datagram: &[u8]) {
        let digest = Digest::of(cx.env.crypto, datagram);
        match self.sa.inbound.arrival(header.message_id) {
            Arrival::OutOfWindow => {
                return tracing::info!(
                    target: "IKE",
                    "received message ID {}, expected {}, ignored",
                    header.message_id,
                    self.sa.inbound.expected()
                );
            }
            Arrival::Repeated => {
                if self.sa.inbound.repeat(&digest).is_some() {
                    tracing::info!(
                        target: "IKE",
                        "received retransmit of request with ID {}, retransmitting response",
                        header.message_id
                    );
                    self.sa.repeat_answer(cx, path);
                }
                return;
            }
            Arrival::New if self.sa.processing.is_some() => return,
            Arrival::New => {}
        }
        let Some((plaintext, digest)) = self.sa.open_request(cx, datagram, digest) else { return };
        self.sa.heard(cx, path);
        let (id, exchange) = (header.message_id, header.exchange);
        self.sa.processing = Some(Processing { id, exchange, digest, path });
        match self.sa.read(header, &plaintext) {
            Ok(request) => self.on_request(cx, request),
            Err(ParseError::UnsupportedCritical(kind)) => {
                let failure = Incompatibility::CriticalPayload(kind).into();
                match &self.state {
                    State::Established { .. } => self.refuse(cx, &failure),
                    _ => self.settle(cx, Err(failure)),
                }
            }
            Err(_) => self.settle(cx, Err(Misbehaviour::InvalidSyntax.into())),
        }
    }

    fn on_sealed_response(&mut self, cx: Cx<'_>, path: Path, header: &Header, datagram: &[u8]) {
        let awaited = self.sa.outstanding.as_ref().is_some_and(|outstanding| {
            outstanding.id == header.message_id && outstanding.exchange == header.exchange
        });
        if !awaited {
            return tracing::info!(target: "IKE", "response with ID {} ignored", header.message_id);
        }
        let Some(plaintext) = self.sa.open_response(cx, datagram) else { return };
        self.sa.heard(cx, path);
        self.sa.path_answered(path);
        self.sa.answered();
        match self.sa.read(header, &plaintext) {
            Ok(response) => self.on_response(cx, response),
            Err(ParseError::UnsupportedCritical(kind)) => {
                self.reject_answer(cx, &Incompatibility::CriticalPayload(kind).into());
            }
            Err(_) => self.reject_answer(cx, &Misbehaviour::InvalidSyntax.into()),
        }
    }
}

impl Sa {
    /// Whether a message belongs here, as far as its header tells.
    fn owns(&self, header: &Header) -> bool {
        let ours = match self.role {
            Role::Initiator => header.spi_initiator == self.local_spi,
            Role::Responder => {
                header.spi_responder == Some(self.local_spi)
                    || (header.spi_responder.is_none() && header.exchange == ExchangeType::IKE_SA_INIT)
            }
        };
        let peers = match self.role {
            Role::Initiator => self.remote_spi.is_none() || header.spi_responder == self.remote_spi,
            Role::Responder => self.remote_spi == Some(header.spi_initiator),
        };
        ours && peers && header.sender == self.role.peer()
    }

    /// Reads decrypted payloads.
    fn read(&mut self, header: &Header, plaintext: &Plaintext) -> Result<Message, ParseError> {
        let payloads =
            parse_chain(plaintext.first, &plaintext.octets).inspect_err(|_| self.tally.note_invalid())?;
        let message = Message { header: *header, payloads };
        log_parsed(&message);
        self.tally.note_message(header.exchange, header.kind, Way::In);
        Ok(message)
    }

    /// Decrypts a request, or a piece of it. The digest that results is the first piece's.
    fn open_request(&mut self, cx: Cx<'_>, datagram: &[u8], digest: Digest) -> Option<(Plaintext, Digest)> {
        match self.open(datagram)? {
            Opened::Whole(plaintext) => Some((plaintext, digest)),
            Opened::Fragment { number, total, piece } => {
                if number == 1 {
                    self.request_digest = Some(digest);
                }
                tracing::info!(target: "ENC", "received fragment #{number} of {total}");
                let plaintext =
                    self.request_pieces.add_within(cx.env.settings.packet_len_max, number, total, piece)?;
                Some((plaintext, self.request_digest.take()?))
            }
        }
    }

    /// Decrypts a response, or a piece of it.
    fn open_response(&mut self, cx: Cx<'_>, datagram: &[u8]) -> Option<Plaintext> {
        match self.open(datagram)? {
            Opened::Whole(plaintext) => Some(plaintext),
            Opened::Fragment { number, total, piece } => {
                tracing::info!(target: "ENC", "received fragment #{number} of {total}");
                self.response_pieces.add_within(cx.env.settings.packet_len_max, number, total, piece)
            }
        }
    }

    fn open(&self, datagram: &[u8]) -> Option<Opened> {
        match protect::open(datagram, &self.keys.as_ref()?.inbound) {
            Ok((_, opened)) => Some(opened),
            Err(error) => {
                tracing::info!(target: "ENC", "message ignored: {error}");
                None
            }
        }
    }
}

fn log_parsed(message: &Message) {
    let header = &message.header;
    let title = Title(header.exchange, header.kind, header.message_id);
    tracing::info!(target: "ENC", "parsed {title} [ {}]", payload_list(&message.payloads));
}
