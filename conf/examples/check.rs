//! Reads a settings file and says what in it is broken, unknown or without effect:
//! `cargo run -p charon-conf --example check /etc/strongswan.conf`.
#![expect(clippy::print_stdout, reason = "printing is what this example does")]

use std::path::PathBuf;
use std::process::ExitCode;

use charon_conf::{FileSystem, Settings, check};

fn main() -> ExitCode {
    let path =
        std::env::args_os().nth(1).map_or_else(|| PathBuf::from("/etc/strongswan.conf"), PathBuf::from);
    match Settings::load(&FileSystem, &path) {
        Ok(settings) => {
            check(&settings).iter().for_each(|notice| println!("{notice}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}\n{}", error.picture());
            ExitCode::FAILURE
        }
    }
}
