//! `charon-kernel-suite [--bench COUNT] BACKEND...`: a line for each check, and a closing line.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::process::ExitCode;
use std::time::Duration;

use charon_kernel_suite::backend::{Backend, NAMES, in_namespace};
use charon_kernel_suite::{bench, ipsec, net};

fn main() -> ExitCode {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let mut count = None;
    if let Some(at) = names.iter().position(|name| name == "--bench") {
        count = names.get(at + 1).and_then(|count| count.parse().ok());
        names.drain(at..names.len().min(at + 2));
        if count.is_none() {
            println!("--bench wants a number of SAs");
            return ExitCode::FAILURE;
        }
    }
    if names.is_empty() {
        names = NAMES.iter().map(|name| (*name).to_owned()).collect();
    }
    let (mut passed, mut failed) = (0, 0);
    for name in names {
        let shown = name.clone();
        let results = match count {
            Some(count) => in_namespace(async move || rates(&name, count).await),
            None => in_namespace(async move || contracts(&name).await),
        };
        let results =
            results.unwrap_or_else(|error| vec![("it starts".to_owned(), Some(format!("{error:#}")))]);
        for (what, fault) in results {
            match fault {
                None => {
                    passed += 1;
                    println!("passed  {shown}: {what}");
                }
                Some(fault) => {
                    failed += 1;
                    println!("FAILED  {shown}: {what}\n    {fault}");
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed, 0 skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Until nothing is left to be done for what was deleted.
const SETTLING: Duration = Duration::from_millis(700);

/// What was checked, and what was wrong.
type Results = Vec<(String, Option<String>)>;

async fn contracts(name: &str) -> anyhow::Result<Results> {
    let backend = Backend::start(name).await?;
    let mut results = ipsec::check(&*backend.ipsec).await;
    results.extend(net::check(&*backend.net).await);
    results.push(("it leaves nothing in the kernel", backend.stop().await));
    let told = |(what, result): (&str, anyhow::Result<()>)| {
        (what.to_owned(), result.err().map(|error| format!("{error:#}")))
    };
    Ok(results.into_iter().map(told).collect())
}

async fn rates(name: &str, count: u32) -> anyhow::Result<Results> {
    let backend = Backend::start(name).await?;
    let mut results = Vec::new();
    // Twice: the first of all finds everything cold.
    let ways = [("in batches of 1000", 1000), ("one at a time", 1)];
    for (how, batch) in ways.into_iter().cycle().take(2 * ways.len()) {
        // The kernel frees what was deleted later, on the same processor.
        tokio::time::sleep(SETTLING).await;
        let rate = bench::run(&*backend.ipsec, count, batch).await?;
        results
            .push((format!("{:.0} SAs/s added, {:.0} SAs/s deleted, {how}", rate.added, rate.deleted), None));
    }
    backend.stop().await?;
    Ok(results)
}
