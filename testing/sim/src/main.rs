//! Plays many histories. `cargo run --release -p charon-sim -- --seeds 10000`, and of virtual routers
//! `cargo run --release -p charon-sim -- vrrp --steps 1000000`
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use charon_sim::exhaust::{self, Collision, Played};
use charon_sim::{Crypto, Failed, Outcome, run, vrrp};
use clap::{Parser, Subcommand};
use parking_lot::Mutex;

/// Plays histories of two IKE daemons on a bad network, and checks what must hold.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// This seed alone, with all that happens.
    #[arg(long)]
    seed: Option<u64>,
    /// Real algorithms instead of toys. Keys are then not the same each time.
    #[arg(long)]
    real: bool,
    /// Threads; default: one per core.
    #[arg(long)]
    threads: Option<usize>,
    /// Tells how far it is, each time that many histories are over.
    #[arg(long)]
    progress: Option<u64>,
}

/// Other machines than IKE's, and other ways.
#[derive(Debug, Subcommand)]
enum Instead {
    /// Plays histories of virtual routers instead.
    Vrrp {
        /// Steps in all.
        #[arg(long, default_value_t = 1_000_000)]
        steps: u64,
        /// How many seeds share them.
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        first: u64,
    },
    /// Plays every order in which two things that both sides begin at once can go on, losses included.
    Collisions {
        /// Choices in each order.
        #[arg(long, default_value_t = 6)]
        depth: u32,
        /// Threads; default: one per core.
        #[arg(long)]
        threads: Option<usize>,
    },
}

/// Failures shown before the rest is only counted.
const SHOWN_MAX: usize = 5;

/// How long it takes, by the clock on the wall.
struct Stopwatch(std::time::Instant);

impl Stopwatch {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }
}

impl std::fmt::Display for Stopwatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} s", self.0.elapsed().as_secs_f64())
    }
}

#[derive(Default)]
struct Tally {
    histories: u64,
    datagrams: usize,
    commands: usize,
    succeeded: usize,
    ike_sas: usize,
    children: usize,
    seconds: u64,
    failed: Vec<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.instead {
        Some(Instead::Vrrp { steps, seeds, first }) => return play_vrrp(steps, seeds.max(1), first),
        Some(Instead::Collisions { depth, threads }) => {
            return play_collisions(depth, threads.unwrap_or_else(cores).max(1));
        }
        None => {}
    }
    let crypto = if arguments.real { Crypto::Real } else { Crypto::Toy };
    if let Some(seed) = arguments.seed {
        return match run(seed, crypto) {
            Ok(outcome) => say(&format!("seed {seed}: {outcome:?}"), ExitCode::SUCCESS),
            Err(failed) => say(&report(&failed, failed.log.len()), ExitCode::FAILURE),
        };
    }
    let next = AtomicU64::new(arguments.first);
    let end = arguments.first.saturating_add(arguments.seeds);
    let tally = Mutex::new(Tally::default());
    let stopwatch = Stopwatch::start();
    let progress = arguments.progress.filter(|every| *every > 0);
    let threads = arguments.threads.unwrap_or_else(cores);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let result = std::panic::catch_unwind(|| run(seed, crypto));
                    let mut tally = tally.lock();
                    tally.add(seed, result);
                    if progress.is_some_and(|every| tally.histories.is_multiple_of(every)) {
                        let (histories, failed) = (tally.histories, tally.failed.len());
                        say(&format!("{histories} histories, {failed} FAILED, {stopwatch}"), ());
                    }
                }
            });
        }
    });
    let tally = tally.into_inner();
    let command: Vec<String> = std::env::args().collect();
    let summary = format!("{}\n{}\n{stopwatch}", command.join(" "), tally.summary());
    say(&summary, if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

fn play_collisions(depth: u32, threads: usize) -> ExitCode {
    let stopwatch = Stopwatch::start();
    let all = Collision::all();
    let next = AtomicUsize::new(0);
    let total = Mutex::new((Played::default(), 0_u32));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(collision) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = exhaust::play(*collision, depth);
                    let mut total = total.lock();
                    match result {
                        Ok(played) => {
                            let Played { orders, states, ends } = played;
                            total.0.orders += orders;
                            total.0.states += states;
                            total.0.ends += ends;
                            say(&format!("{collision}: {orders} orders, {states} states, {ends} ends"), ());
                        }
                        Err(broken) => {
                            total.1 += 1;
                            say(&report(&broken, broken.log.len()), ());
                        }
                    }
                }
            });
        }
    });
    let (Played { orders, states, ends }, failed) = total.into_inner();
    let summary = format!(
        "{} collisions of depth {depth}: {orders} orders, {failed} collisions FAILED. {states} states were visited and {ends} ends \
         looked at: an order that tells each host the same, at the same moments, as one before, leads to the same state, \
         from which all that follows was played. {stopwatch}",
        all.len()
    );
    say(&summary, if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play_vrrp(steps: u64, seeds: u64, first: u64) -> ExitCode {
    let mut tally = vrrp::Tally::default();
    let mut failed = 0;
    for seed in first..first.saturating_add(seeds) {
        match vrrp::run(seed, steps.div_ceil(seeds)) {
            Ok(one) => tally.add(&one),
            Err(broken) => {
                failed += 1;
                if failed <= SHOWN_MAX {
                    say(&format!("{}\nseed {}: {}", broken.log.join("\n"), broken.seed, broken.what), ());
                }
            }
        }
    }
    let vrrp::Tally { steps, takeovers, agreements, longest_overlap, elapsed } = tally;
    let summary = format!(
        "{seeds} histories of virtual routers, {steps} steps, {takeovers} takeovers, one active router at each of \
         {agreements} quiet steps, two for {longest_overlap:?} at most, {} h of virtual time",
        elapsed.as_secs() / 3600
    );
    match failed {
        0 => say(&summary, ExitCode::SUCCESS),
        _ => say(
            &format!("{summary}\n{failed} FAILED; play one again with --first SEED --seeds 1"),
            ExitCode::FAILURE,
        ),
    }
}

impl Tally {
    fn add(&mut self, seed: u64, result: std::thread::Result<Result<Outcome, Box<Failed>>>) {
        self.histories += 1;
        match result {
            Ok(Ok(outcome)) => {
                self.datagrams += outcome.datagrams;
                self.commands += outcome.commands;
                self.succeeded += outcome.succeeded;
                self.ike_sas += outcome.ike_sas;
                self.children += outcome.children;
                self.seconds += outcome.seconds;
                return;
            }
            Ok(Err(failed)) if self.failed.len() < SHOWN_MAX => {
                say(&report(&failed, 0), ());
            }
            Ok(Err(_)) => {}
            Err(_) => say(&format!("seed {seed}: panicked"), ()),
        }
        self.failed.push(seed);
    }

    fn summary(&self) -> String {
        let Self { histories, datagrams, commands, succeeded, ike_sas, children, seconds, failed } = self;
        let mut text = format!(
            "{histories} histories, {datagrams} datagrams, {succeeded} of {commands} commands succeeded, \
             {ike_sas} IKE_SAs and {children} CHILD_SAs at the end, {} h of virtual time",
            seconds / 3600
        );
        if failed.is_empty() {
            text += "\nno violation";
        } else {
            let shown: Vec<String> = failed.iter().take(20).map(u64::to_string).collect();
            text += &format!("\n{} FAILED; play one again with --seed: {}", failed.len(), shown.join(" "));
        }
        text
    }
}

fn report(failed: &Failed, log_lines: usize) -> String {
    let mut lines: Vec<String> = failed.log.iter().take(log_lines).cloned().collect();
    lines.push(format!("seed {}:", failed.seed));
    lines.extend(failed.violations.iter().map(|violation| format!("  {violation}")));
    lines.join("\n")
}

#[expect(clippy::print_stdout, reason = "this program is for people")]
fn say<T>(text: &str, result: T) -> T {
    println!("{text}");
    result
}
