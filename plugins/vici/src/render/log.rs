//! Lines of the log as `log` and `control-log` show them.

use charon_types::event::LogRecord;
use vici::Message;

/// A line for everybody, with the thread that wrote it.
pub(crate) fn line(record: &LogRecord) -> Message {
    let mut message = head(record);
    message.push("thread", record.thread.to_string());
    push_rest(&mut message, record);
    message
}

/// A line for whoever controls the SA that it is about.
pub(crate) fn control_line(record: &LogRecord) -> Message {
    let mut message = head(record);
    push_rest(&mut message, record);
    message
}

fn head(record: &LogRecord) -> Message {
    Message::new().with("group", record.group.name()).with("level", record.level.to_string())
}

fn push_rest(message: &mut Message, record: &LogRecord) {
    if let Some((name, unique_id)) = &record.ike_sa {
        message.push("ikesa-name", &**name);
        message.push("ikesa-uniqueid", unique_id.to_string());
    }
    message.push("msg", &record.message);
}
