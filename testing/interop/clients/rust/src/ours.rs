use serde_json::{Map, Value as Json};
use vici::blocking::Client;
use vici::{ClientError, Message, Section, Uri, Value};

use crate::{Executor, Order, Outcome, raw, tell, text};

pub fn connect(socket: &str) -> Client {
    Client::connect(&Uri::Unix(socket.into())).unwrap()
}

impl Executor for Client {
    fn execute(&mut self, order: &Order) -> Outcome {
        match run(self, order) {
            Ok((reply, events)) => Outcome::Done { reply, events },
            Err(error) => Outcome::Refused(error.to_string()),
        }
    }

    fn listen(&mut self, events: &[&str]) {
        events.iter().for_each(|event| self.subscribe(event).unwrap());
        while let Ok(event) = self.next_event() {
            tell(&event.name, decoded(event.message.root()));
        }
    }
}

fn run(client: &mut Client, order: &Order) -> Result<(Json, Vec<Json>), ClientError> {
    let mut message = Message::new();
    push(&mut message, &order.message);
    let Some(event) = &order.stream else {
        return Ok((decoded(client.request(&order.command, &message)?.root()), Vec::new()));
    };
    let mut events = Vec::new();
    let mut streamed = client.stream(&order.command, event, &message)?;
    while let Some(event) = streamed.next_event()? {
        events.push(decoded(event.root()));
    }
    Ok((decoded(streamed.response()?.root()), events))
}

fn push(message: &mut Message, value: &Json) {
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Json::Object(_) => message.nest(name, |section| push(section, value)),
            Json::Array(items) => message.push_list(name, items.iter().map(raw)),
            value => message.push(name, raw(value)),
        }
    }
}

fn decoded(section: Section<'_>) -> Json {
    let entries = section.iter().map(|(name, value)| {
        let value = match value {
            Value::Data(data) => Json::from(text(data)),
            Value::List(list) => list.iter().map(text).collect(),
            Value::Section(section) => decoded(section),
        };
        (name.to_string(), value)
    });
    entries.collect::<Map<_, _>>().into()
}
