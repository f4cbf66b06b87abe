//! Which forms of checksum the other routers of a link understand (VRRPv3 over IPv4).
//!
//! A router that takes our checksums for wrong hears nothing of us, becomes Active beside us and says so by its first advertisement.
//! That one tells which form it wants, and the answer has it already: two routers are Active for as long as two packets are on their way,
//! once. What was learnt is kept for each sender, so that routers of both kinds on one link do not drive each other out in turn.

use std::net::IpAddr;

use crate::checksum::ChecksumForm;
use crate::config::ChecksumMode;

/// Senders that are remembered; the one that was heard longest ago is forgotten for a further one.
const SENDERS_MAX: usize = 8;
/// Advertisements in a row until it is believed that a sender changed its form while it is Active: one that sends both for the sake
/// of others understands either.
const CHANGES_AFTER: u8 = 3;

/// What was learnt.
#[derive(Clone, Debug)]
pub(crate) struct Forms {
    mode: ChecksumMode,
    /// The one heard last is the last.
    senders: Vec<Sender>,
}

#[derive(Clone, Copy, Debug)]
struct Sender {
    address: IpAddr,
    form: ChecksumForm,
    /// Advertisements of another form in a row.
    others: u8,
}

/// What an advertisement means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Its sender is Active, and we are not.
    Followed,
    /// Its sender should not be Active: it may not understand us.
    Contended,
}

/// Whether advertisements are sent in other forms from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learnt {
    Nothing,
    Form,
}

impl Forms {
    pub(crate) const fn new(mode: ChecksumMode) -> Self {
        Self { mode, senders: Vec::new() }
    }

    /// Takes note of what a sender's checksum was.
    pub(crate) fn hear(&mut self, address: IpAddr, form: ChecksumForm, occasion: Occasion) -> Learnt {
        if self.mode != ChecksumMode::Auto {
            return Learnt::Nothing;
        }
        let before = self.set();
        self.remember(address, form, occasion);
        if self.set() == before { Learnt::Nothing } else { Learnt::Form }
    }

    fn remember(&mut self, address: IpAddr, form: ChecksumForm, occasion: Occasion) {
        let Some(at) = self.senders.iter().position(|known| known.address == address) else {
            if self.senders.len() == SENDERS_MAX {
                self.senders.remove(0);
            }
            self.senders.push(Sender { address, form, others: 0 });
            return;
        };
        let mut known = self.senders.remove(at);
        known.others = if known.form == form { 0 } else { known.others + 1 };
        if occasion == Occasion::Contended || form == ChecksumForm::Plain || known.others >= CHANGES_AFTER {
            (known.form, known.others) = (form, 0);
        }
        self.senders.push(known);
    }

    /// The forms that an advertisement has to be sent in: RFC 9568's until somebody was heard; one, as a rule.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = ChecksumForm> + use<> {
        self.set().into_iter().flatten()
    }

    fn set(&self) -> [Option<ChecksumForm>; 3] {
        ChecksumForm::ALL.map(|form| {
            let wanted = match self.mode {
                ChecksumMode::Rfc9568 => form == ChecksumForm::Plain,
                ChecksumMode::Pseudo => form == ChecksumForm::Pseudo,
                ChecksumMode::Auto if self.senders.is_empty() => form == ChecksumForm::Plain,
                ChecksumMode::Auto => self.senders.iter().any(|sender| sender.form == form),
            };
            wanted.then_some(form)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: ChecksumForm = ChecksumForm::Plain;
    const PSEUDO: ChecksumForm = ChecksumForm::Pseudo;

    fn sender(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    fn wanted(forms: &Forms) -> Vec<ChecksumForm> {
        forms.wanted().collect()
    }

    #[test]
    fn rfc_9568_s_form_is_sent_until_a_sender_has_another() {
        let mut forms = Forms::new(ChecksumMode::Auto);
        assert_eq!(wanted(&forms), [PLAIN]);
        assert_eq!(forms.hear(sender(1), PSEUDO, Occasion::Contended), Learnt::Form);
        assert_eq!(forms.hear(sender(1), PSEUDO, Occasion::Contended), Learnt::Nothing);
        assert_eq!(wanted(&forms), [PSEUDO]);
    }

    #[test]
    fn senders_of_both_kinds_get_both_forms() {
        let mut forms = Forms::new(ChecksumMode::Auto);
        forms.hear(sender(1), PSEUDO, Occasion::Followed);
        forms.hear(sender(2), PLAIN, Occasion::Contended);
        assert_eq!(wanted(&forms), [PLAIN, PSEUDO]);
    }

    #[test]
    fn a_sender_of_both_forms_understands_the_rfc_s() {
        let mut forms = Forms::new(ChecksumMode::Auto);
        for _ in 0..10 {
            forms.hear(sender(1), PLAIN, Occasion::Followed);
            forms.hear(sender(1), PSEUDO, Occasion::Followed);
        }
        assert_eq!(wanted(&forms), [PLAIN]);
        // It was configured anew.
        for _ in 0..CHANGES_AFTER {
            forms.hear(sender(1), PSEUDO, Occasion::Followed);
        }
        assert_eq!(wanted(&forms), [PSEUDO]);
        // As a rival it may not have understood us.
        assert_eq!(forms.hear(sender(1), PLAIN, Occasion::Contended), Learnt::Form);
        assert_eq!(wanted(&forms), [PLAIN]);
    }

    #[test]
    fn what_is_configured_is_not_unlearnt_and_memory_is_bounded() {
        let mut fixed = Forms::new(ChecksumMode::Pseudo);
        assert_eq!(fixed.hear(sender(1), PLAIN, Occasion::Contended), Learnt::Nothing);
        assert_eq!(wanted(&fixed), [PSEUDO]);
        let mut forms = Forms::new(ChecksumMode::Auto);
        for number in 0..=255 {
            forms.hear(sender(number), PLAIN, Occasion::Contended);
        }
        assert_eq!(forms.senders.len(), SENDERS_MAX);
        assert_eq!(forms.senders.last().map(|last| last.address), Some(sender(255)));
    }
}
