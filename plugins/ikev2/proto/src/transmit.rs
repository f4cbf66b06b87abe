//! What an IKE_SA sends: requests with their retransmission, answers with their memory, keepalives.

use std::time::Duration;

use charon_crypto::CryptoError;
use charon_types::endpoint::Path;
use charon_types::id::MessageId;

use crate::failure::{Failure, LocalFault};
use crate::mobility::Cause;
use crate::output::Output;
use crate::retransmit::{Outstanding, wait};
use crate::sa::{Cx, Sa};
use crate::tally::Way;
use crate::text::payload_list;
use crate::timer::Timer;
use crate::wire::{ExchangeType, Header, Message, MessageKind, Notify, Payload, PayloadType, Title};

/// Between repetitions of a request while several paths are tried.
const PROBE_INTERVAL: Duration = Duration::from_millis(2500);

/// How long the path that comes first is tried alone.
const HEAD_START: Duration = Duration::from_millis(500);

/// Repetitions while several paths are tried.
const PROBES_MAX: u32 = 10;

/// Repetitions without an answer after which other paths are tried, too.
const SILENCE: u32 = 2;

impl Sa {
    /// Sends an IKE_SA_INIT request. Returns the message: AUTH covers it.
    pub(crate) fn send_init_request(&mut self, cx: Cx<'_>, payloads: Vec<Payload>) -> Vec<u8> {
        let header = self.header(ExchangeType::IKE_SA_INIT, MessageKind::Request, MessageId(0));
        let message = self.in_clear(header, payloads);
        self.await_answer(cx, MessageId(0), ExchangeType::IKE_SA_INIT, vec![message.clone()]);
        message
    }

    /// Answers an IKE_SA_INIT request. Returns the message: AUTH covers it.
    pub(crate) fn send_init_response(&mut self, cx: Cx<'_>, payloads: Vec<Payload>) -> Vec<u8> {
        let header = self.header(ExchangeType::IKE_SA_INIT, MessageKind::Response, MessageId(0));
        let message = self.in_clear(header, payloads);
        self.answer(cx, vec![message.clone()]);
        message
    }

    /// Sends an encrypted request; one at a time.
    pub(crate) fn send_request(
        &mut self,
        cx: Cx<'_>,
        exchange: ExchangeType,
        payloads: Vec<Payload>,
    ) -> Result<(), Failure> {
        let id = self.next_request;
        self.next_request = id.next();
        let header = self.header(exchange, MessageKind::Request, id);
        let datagrams = self.sealed(cx, header, &payloads)?;
        self.await_answer(cx, id, exchange, datagrams);
        Ok(())
    }

    /// Answers the request that is being worked on.
    pub(crate) fn send_response(&mut self, cx: Cx<'_>, payloads: Vec<Payload>) -> Result<(), Failure> {
        let Some(processing) = &self.processing else { return Ok(()) };
        let header = self.header(processing.exchange, MessageKind::Response, processing.id);
        let datagrams = self.sealed(cx, header, &payloads)?;
        self.answer(cx, datagrams);
        Ok(())
    }

    /// Answers the request that is being worked on with an error.
    pub(crate) fn send_error(&mut self, cx: Cx<'_>, notify: Notify) -> Result<(), Failure> {
        let in_clear =
            self.processing.as_ref().is_some_and(|request| request.exchange == ExchangeType::IKE_SA_INIT);
        let payloads = vec![Payload::Notify(notify)];
        if in_clear {
            self.send_init_response(cx, payloads);
            return Ok(());
        }
        self.send_response(cx, payloads)
    }

    /// Our request was answered, or is given up.
    pub(crate) fn answered(&mut self) {
        self.outstanding = None;
        self.timers.stop(Timer::Retransmit);
    }

    /// Sends the outstanding request again.
    pub(crate) fn retransmit(&mut self, cx: Cx<'_>) -> Result<(), Failure> {
        let settings = &cx.env.settings.retransmission;
        let hurried = self.probes_hurriedly();
        let Some(outstanding) = &mut self.outstanding else { return Ok(()) };
        let tries = if hurried { PROBES_MAX } else { settings.tries };
        if outstanding.resent >= tries {
            tracing::info!(target: "IKE", "giving up after {} retransmits", outstanding.resent);
            self.answered();
            return Err(Failure::Unreachable);
        }
        outstanding.resent += 1;
        tracing::info!(
            target: "IKE",
            "retransmit {} of request with message ID {}",
            outstanding.resent,
            outstanding.id
        );
        let resent = outstanding.resent;
        self.mobility.head_start = false;
        let next = match hurried {
            true => PROBE_INTERVAL,
            false => wait(settings, resent, cx.env.crypto.random().u32()),
        };
        let datagrams = outstanding.datagrams.clone();
        self.timers.set(Timer::Retransmit, cx.now.mono + next);
        self.transmit_request(cx, datagrams);
        let alternatives = self.mobility.probing.is_empty() && !self.mobility.peer_addresses.is_empty();
        if resent == SILENCE && alternatives && self.chooses_path() {
            self.look_for_paths(cx, Cause::Silence);
        }
        Ok(())
    }

    /// Sends the outstanding request at once, with all its repetitions before it.
    pub(crate) fn repeat_request(&mut self, cx: Cx<'_>) {
        let Some(outstanding) = &mut self.outstanding else { return };
        outstanding.resent = 0;
        let datagrams = outstanding.datagrams.clone();
        let interval = self.probe_interval();
        self.timers.set(Timer::Retransmit, cx.now.mono + interval);
        self.transmit_request(cx, datagrams);
    }

    /// Whether requests follow the schedule of probes and not their own.
    fn probes_hurriedly(&self) -> bool {
        !self.mobility.probing.is_empty() && self.mobility.cause != Cause::Silence
    }

    const fn probe_interval(&self) -> Duration {
        if self.mobility.head_start { HEAD_START } else { PROBE_INTERVAL }
    }

    /// On the current path, or on all that are being tried.
    pub(crate) fn transmit_request(&mut self, cx: Cx<'_>, datagrams: Vec<Vec<u8>>) {
        if self.mobility.probing.is_empty() {
            return self.transmit(cx, self.path, datagrams);
        }
        let paths = if self.mobility.head_start { 1 } else { usize::MAX };
        for path in self.mobility.probing.iter().copied().take(paths).collect::<Vec<_>>() {
            self.transmit(cx, path, datagrams.clone());
        }
    }

    /// Repeats the last answer to where the repeated request came from.
    pub(crate) fn repeat_answer(&mut self, cx: Cx<'_>, path: Path) {
        if let Some(datagrams) = self.inbound.last_answer().map(<[_]>::to_vec) {
            self.transmit(cx, path, datagrams);
        }
    }

    /// Keeps the mapping of our NAT alive, if nothing else did.
    pub(crate) fn keepalive(&mut self, cx: Cx<'_>) {
        let interval = cx.env.settings.keep_alive;
        if interval.is_zero() || !self.nat.local {
            return;
        }
        let due = self.clock.sent + interval;
        if cx.now.mono < due {
            self.timers.set(Timer::Keepalive, due);
            return;
        }
        tracing::debug!(target: "IKE", "sending keep alive to {}", self.path.remote);
        self.clock.sent = cx.now.mono;
        self.output(Output::Keepalive { path: self.path });
        self.timers.set(Timer::Keepalive, cx.now.mono + interval);
    }

    fn header(&self, exchange: ExchangeType, kind: MessageKind, message_id: MessageId) -> Header {
        Header {
            // A responder knows the peer's SPI from the request that made it.
            spi_initiator: self.spi_initiator().unwrap_or(self.local_spi),
            spi_responder: self
                .spi_responder()
                .filter(|_| kind == MessageKind::Response || self.keys.is_some()),
            next_payload: PayloadType::NONE,
            exchange,
            sender: self.role,
            kind,
            message_id,
        }
    }

    fn in_clear(&mut self, header: Header, payloads: Vec<Payload>) -> Vec<u8> {
        log_generated(&header, &payloads);
        self.tally.note_message(header.exchange, header.kind, Way::Out);
        Message { header, payloads }.emit()
    }

    fn sealed(&mut self, cx: Cx<'_>, header: Header, payloads: &[Payload]) -> Result<Vec<Vec<u8>>, Failure> {
        log_generated(&header, payloads);
        self.tally.note_message(header.exchange, header.kind, Way::Out);
        let limit = self.fragment_len_max(cx);
        let random = cx.env.crypto.random();
        let keys = self.keys.as_mut().ok_or(LocalFault::Crypto(CryptoError::InvalidKey))?;
        let Some(limit) = limit else { return Ok(vec![keys.sealer.seal(&header, payloads, random)]) };
        let datagrams = keys.sealer.seal_fragmented(&header, payloads, limit, random);
        if datagrams.len() > 1 {
            let len: usize = datagrams.iter().map(Vec::len).sum();
            tracing::info!(target: "ENC", "splitting IKE message ({len} bytes) into {} fragments", datagrams.len());
        }
        Ok(datagrams)
    }

    fn await_answer(&mut self, cx: Cx<'_>, id: MessageId, exchange: ExchangeType, datagrams: Vec<Vec<u8>>) {
        let first = match self.probes_hurriedly() {
            true => self.probe_interval(),
            false => wait(&cx.env.settings.retransmission, 0, cx.env.crypto.random().u32()),
        };
        self.timers.set(Timer::Retransmit, cx.now.mono + first);
        self.response_pieces.clear();
        self.outstanding = Some(Outstanding { id, exchange, datagrams: datagrams.clone(), resent: 0 });
        self.transmit_request(cx, datagrams);
    }

    fn answer(&mut self, cx: Cx<'_>, datagrams: Vec<Vec<u8>>) {
        let mut path = self.path;
        if let Some(processing) = self.processing.take() {
            self.inbound.answer(processing.digest, datagrams.clone());
            path = processing.path;
        }
        self.request_pieces.clear();
        self.transmit(cx, path, datagrams);
    }

    fn transmit(&mut self, cx: Cx<'_>, path: Path, datagrams: Vec<Vec<u8>>) {
        for datagram in &datagrams {
            tracing::info!(
                target: "NET",
                "sending packet: from {}[{}] to {}[{}] ({} bytes)",
                path.local.ip(),
                path.local.port(),
                path.remote.ip(),
                path.remote.port(),
                datagram.len(),
            );
        }
        self.clock.sent = cx.now.mono;
        self.output(Output::Transmit { path, datagrams });
    }
}

fn log_generated(header: &Header, payloads: &[Payload]) {
    let title = Title(header.exchange, header.kind, header.message_id);
    tracing::info!(target: "ENC", "generating {title} [ {}]", payload_list(payloads));
}
