//! Figures of the daemon.

use std::io::{self, Write};

use vici::{Message, Section};

use super::text::{joined, shown};

/// Writes the reply of `stats`.
pub(crate) fn write(out: &mut dyn Write, reply: Section<'_>) -> io::Result<()> {
    let nothing = Message::new();
    let part = |name| reply.section(name).unwrap_or_else(|| nothing.root());
    let (uptime, workers, queues) = (part("uptime"), part("workers"), part("queues"));
    let active = workers.section("active").unwrap_or_else(|| nothing.root());
    let levels = |section: Section<'_>| {
        ["critical", "high", "medium", "low"].map(|level| shown(section, level).to_owned()).join("/")
    };
    writeln!(out, "uptime: {}, since {}", shown(uptime, "running"), shown(uptime, "since"))?;
    writeln!(
        out,
        "worker threads: {} total, {} idle, working: {}",
        shown(workers, "total"),
        shown(workers, "idle"),
        levels(active)
    )?;
    writeln!(out, "job queues: {}", levels(queues))?;
    writeln!(out, "jobs scheduled: {}", shown(reply, "scheduled"))?;
    let sas = part("ikesas");
    writeln!(out, "IKE_SAs: {} total, {} half-open", shown(sas, "total"), shown(sas, "half-open"))?;
    if let Some(memory) = reply.section("mem") {
        writeln!(
            out,
            "memory usage: {} bytes, {} allocations",
            shown(memory, "total"),
            shown(memory, "allocs")
        )?;
    }
    if let Some(heap) = reply.section("mallinfo") {
        writeln!(
            out,
            "mallinfo: sbrk {}, mmap {}, used {}, free {}",
            shown(heap, "sbrk"),
            shown(heap, "mmap"),
            shown(heap, "used"),
            shown(heap, "free")
        )?;
    }
    writeln!(out, "loaded plugins: {}", joined(reply, "plugins").unwrap_or_default())
}
