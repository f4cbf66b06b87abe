//! `--list-certs`: the certificates that the daemon holds.

use jiff::Timestamp;
use vici::Message;

use super::initiate::add_names;
use super::{Command, Run};
use crate::args::{JSON, Options, PRETTY, RAW, flag, value};
use crate::certificate::clock::{Clock, Zone};
use crate::failure::{Outcome, Status};
use crate::render::list_certs::{Detail, Printer};
use crate::session::{Labels, Session};

pub(super) const COMMAND: Command = Command {
    name: "list-certs",
    short: 'x',
    summary: "list stored certificates",
    usage: &[
        "[--subject <dn/san>] [--pem]",
        "[--type x509|x509_ac|x509_crl|ocsp_response|pubkey]",
        "[--flag none|ca|aa|ocsp|any] [--raw|--pretty|--short|--utc]",
    ],
    options: &[
        value("subject", 's', "filter by certificate subject"),
        value("type", 't', "filter by certificate type"),
        value("flag", 'f', "filter by X.509 certificate flag"),
        flag("pem", 'p', "print PEM encoding of certificate"),
        RAW,
        PRETTY,
        flag("short", 'S', "omit some certificate details"),
        flag("utc", 'U', "use UTC for time fields"),
        JSON,
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["subject", "type", "flag"]);
    let detail = match (options.has("pem"), options.has("short")) {
        (true, _) => Detail::Pem,
        (false, true) => Detail::Short,
        (false, false) => Detail::Full,
    };
    let zone = if options.has("utc") { Zone::Utc } else { Zone::Local };
    let mut printer = Printer::new(Clock { now: Timestamp::now(), zone }, detail);
    let labels = Labels { event: "list-cert event", reply: "list-certs reply" };
    session.stream("list-certs", "list-cert", labels, &request, |out, event| printer.write(out, event))?;
    Ok(Status::SUCCESS)
}
