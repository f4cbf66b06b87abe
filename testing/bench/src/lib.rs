//! What the benchmarks share. They live in `benches/`, measuring scripts beside this package; `docs/benchmarks.md` says how
//! to run them.
#![forbid(unsafe_code)]

pub mod race;
