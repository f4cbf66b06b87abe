//! `charond rvrrpd-pw`: entries of `users` in rVRRPd's configuration file, made and checked.

use std::io::{self, BufRead};
use std::process::ExitCode;

use charon_crypto::{Order, ProviderBuilder};
use rvrrpd_conf::{Algorithm, UserEntry};

use crate::cli::RvrrpdPw;

/// Does it; the entry goes to standard output.
pub(crate) fn run(asked: &RvrrpdPw) -> ExitCode {
    let done = match &asked.check {
        Some(entry) => check(asked, entry),
        None => make(asked),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the entry is what was asked for")]
fn make(asked: &RvrrpdPw) -> Result<(), String> {
    let algorithm: Algorithm = asked.algorithm.parse().map_err(text)?;
    let user = asked.user.as_deref().unwrap_or_default();
    let password = password(asked.password.as_deref())?;
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add_untested("crypto-aws-lc", algorithm);
    }
    let mut salt = [0; 16];
    builder.freeze().random().fill(&mut salt);
    println!("{}", UserEntry::make(user, &password, algorithm, &salt).map_err(text)?.line());
    Ok(())
}

/// With `--check` the only word is the password.
fn check(asked: &RvrrpdPw, entry: &str) -> Result<(), String> {
    let entry: UserEntry = entry.parse().map_err(text)?;
    let given = asked.password.as_deref().or(asked.user.as_deref());
    if entry.verify(&password(given)?) {
        Ok(())
    } else {
        Err(format!("wrong password for user {}", entry.user))
    }
}

fn password(given: Option<&str>) -> Result<String, String> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| format!("reading the password: {error}"))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
