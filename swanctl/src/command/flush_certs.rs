//! `--flush-certs`: the daemon forgets the certificates that it has received or fetched.

use vici::Message;

use super::initiate::add_names;
use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW, value};
use crate::failure::Outcome;
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "flush-certs",
    short: 'f',
    summary: "flush cached certificates",
    usage: &["[--type x509|x509_ac|x509_crl|ocsp_response|pubkey]", "[--raw|--pretty]"],
    options: &[value("type", 't', "filter by certificate type"), RAW, PRETTY],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["type"]);
    let reply = session.request("flush-certs", &request)?;
    session.conclude_silently("flush-certs", reply)
}
