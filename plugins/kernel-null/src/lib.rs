//! An in-memory kernel that checks invariants; for tests, simulation and benches.
#![forbid(unsafe_code)]
