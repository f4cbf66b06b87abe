//! Threads, privileges and plugins.

use super::Kind::{Bool, Int, List, Text};
use super::Status::{Effective, NoMeaning};
use super::Unit::{self, Bytes, Milliseconds};
use super::{Opt, daemon};

#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    daemon("threads", Int, "16", Unit::None, Effective, "worker threads"),
    daemon("processor.priority_threads.critical", Int, "0", Unit::None, NoMeaning("work is not queued by priority"), "threads reserved for critical jobs"),
    daemon("processor.priority_threads.high", Int, "0", Unit::None, NoMeaning("work is not queued by priority"), "threads reserved for high priority jobs"),
    daemon("processor.priority_threads.medium", Int, "0", Unit::None, NoMeaning("work is not queued by priority"), "threads reserved for medium priority jobs"),
    daemon("processor.priority_threads.low", Int, "0", Unit::None, NoMeaning("work is not queued by priority"), "threads reserved for low priority jobs"),
    daemon("host_resolver.min_threads", Int, "0", Unit::None, NoMeaning("names are resolved on the common pool"), "threads kept for name resolution"),
    daemon("host_resolver.max_threads", Int, "3", Unit::None, NoMeaning("names are resolved on the common pool"), "most threads for name resolution"),
    daemon("user", Text, "", Unit::None, NoMeaning("not built yet"), "user to become once started"),
    daemon("group", Text, "", Unit::None, NoMeaning("not built yet"), "group to become once started"),
    daemon("load", List, "", Unit::None, Effective, "plugins to load, in order; a trailing ! makes one indispensable"),
    daemon("load_modular", Bool, "no", Unit::None, Effective, "whether plugins.<name>.load decides what is loaded"),
    daemon("start-scripts.<name>", Text, "", Unit::None, NoMeaning("not built yet"), "command run at start"),
    daemon("stop-scripts.<name>", Text, "", Unit::None, NoMeaning("not built yet"), "command run at the end"),
    daemon("crypto_test.bench", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether algorithms are measured"),
    daemon("crypto_test.bench_size", Int, "1024", Bytes, NoMeaning("algorithms are tested when they register"), "size of a measurement"),
    daemon("crypto_test.bench_time", Int, "50", Milliseconds, NoMeaning("algorithms are tested when they register"), "time of a measurement"),
    daemon("crypto_test.on_add", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether algorithms are tested when added"),
    daemon("crypto_test.on_create", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether algorithms are tested when used"),
    daemon("crypto_test.required", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether algorithms without a test are refused"),
    daemon("crypto_test.rng_true", Bool, "no", Unit::None, NoMeaning("algorithms are tested when they register"), "whether the true random source is tested"),
    daemon("integrity_test", Bool, "no", Unit::None, NoMeaning("there are no plugin files"), "whether plugin files are verified"),
    daemon("leak_detective.detailed", Bool, "yes", Unit::None, NoMeaning("memory is owned"), "whether leaks are listed in detail"),
    daemon("leak_detective.usage_threshold", Int, "10240", Bytes, NoMeaning("memory is owned"), "leaks to report"),
    daemon("leak_detective.usage_threshold_count", Int, "0", Unit::None, NoMeaning("memory is owned"), "leaks to report by count"),
];
