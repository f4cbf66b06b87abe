//! Two operations in turn, block by block: their ratio holds although the machine's speed drifts.

use std::time::{Duration, Instant};

/// Blocks of each operation.
const ROUNDS: usize = 60;
/// Least duration of a block.
const BLOCK: Duration = Duration::from_micros(400);

/// What is timed.
pub type Operation = Box<dyn FnMut()>;

/// Whether the command line asks for that operation: it names nothing, or parts of its name.
#[must_use]
pub fn wanted(name: &str) -> bool {
    let mut parts = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    parts.all(|part| name.contains(&part))
}

/// Median microseconds of each, and the median of the ratios block by block.
#[must_use]
pub fn race(a: &mut Operation, b: &mut Operation) -> (f64, f64, f64) {
    let iterations = calibrate(a).max(1);
    let mut times_a = Vec::with_capacity(ROUNDS);
    let mut times_b = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        times_a.push(block(a, iterations));
        times_b.push(block(b, iterations));
    }
    let ratios = times_a.iter().zip(&times_b).map(|(a, b)| b / a).collect();
    (median(times_a), median(times_b), median(ratios))
}

fn calibrate(operation: &mut Operation) -> u32 {
    let mut iterations = 1;
    loop {
        let start = Instant::now();
        (0..iterations).for_each(|_| operation());
        if start.elapsed() > BLOCK {
            return iterations;
        }
        iterations *= 2;
    }
}

fn block(operation: &mut Operation, iterations: u32) -> f64 {
    let start = Instant::now();
    (0..iterations).for_each(|_| operation());
    start.elapsed().as_secs_f64() * 1e6 / f64::from(iterations)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
