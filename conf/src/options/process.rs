//! Threads, privileges and plugins.

use super::Kind::{Bool, Int, List, Text};
use super::Status::{Effective, NoMeaning};
use super::Unit::{self, Bytes, Milliseconds};
use super::{COUNT, Opt, daemon};

#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    daemon("threads", Int { min: 1, max: 1024 }, "", Unit::None, Effective, "worker threads; as many as processors by default"),
    daemon("processor.priority_threads.critical", COUNT, "0", Unit::None, NoMeaning("work is not queued by priority"), "threads reserved for critical jobs"),
    daemon("processor.priority_threads.high", COUNT, "0", Unit::None, NoMeaning("work is not queued by priority"), "threads reserved for high priority jobs"),
    daemon("processor.priority_threads.medium", COUNT, "0", Unit::None, NoMeaning("work is not queued by priority"), "threads reserved for medium priority jobs"),
    daemon("processor.priority_threads.low", COUNT, "0", Unit::None, NoMeaning("work is not queued by priority"), "threads reserved for low priority jobs"),
    daemon("host_resolver.min_threads", COUNT, "0", Unit::None, NoMeaning("names are resolved on the common pool"), "threads kept for name resolution"),
    daemon("host_resolver.max_threads", COUNT, "3", Unit::None, NoMeaning("names are resolved on the common pool"), "most threads for name resolution"),
    daemon("user", Text, "", Unit::None, Effective, "owner of the control socket; the daemon itself stays what it was started as"),
    daemon("group", Text, "", Unit::None, Effective, "group of the control socket; the daemon itself stays what it was started as"),
    daemon("load", List, "", Unit::None, Effective, "plugins to load, in order; a trailing ! makes one indispensable"),
    daemon("load_modular", Bool, "no", Unit::None, Effective, "whether plugins.<name>.load decides what is loaded"),
    daemon("start-scripts.<name>", Text, "", Unit::None, Effective, "command line run once everything is up, one after the other"),
    daemon("stop-scripts.<name>", Text, "", Unit::None, Effective, "command line run before anything is taken down"),
    daemon("crypto_test.bench", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether algorithms are measured"),
    daemon("crypto_test.bench_size", COUNT, "1024", Bytes, NoMeaning("algorithms are tested when they register"), "size of a measurement"),
    daemon("crypto_test.bench_time", COUNT, "50", Milliseconds, NoMeaning("algorithms are tested when they register"), "time of a measurement"),
    daemon("crypto_test.on_add", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether algorithms are tested when added"),
    daemon("crypto_test.on_create", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether algorithms are tested when used"),
    daemon("crypto_test.required", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether algorithms without a test are refused"),
    daemon("crypto_test.rng_true", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether the true random source is tested"),
    daemon("integrity_test", Bool, "no", Unit::None, NoMeaning("there are no plugin files"), "whether plugin files are verified"),
    daemon("leak_detective.detailed", Bool, "yes", Unit::None, NoMeaning("memory is owned"), "whether leaks are listed in detail"),
    daemon("leak_detective.usage_threshold", COUNT, "10240", Bytes, NoMeaning("memory is owned"), "leaks to report"),
    daemon("leak_detective.usage_threshold_count", COUNT, "0", Unit::None, NoMeaning("memory is owned"), "leaks to report by count"),
];
