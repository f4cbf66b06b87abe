use rustici::wire::Element;
use rustici::{Client, Message};
use serde_json::{Map, Value};

use crate::{Executor, Order, Outcome, raw, tell, text};

pub fn connect(socket: &str) -> Client {
    Client::connect(socket).unwrap()
}

impl Executor for Client {
    fn execute(&mut self, order: &Order) -> Outcome {
        let message = encoded(&order.message);
        let Some(event) = &order.stream else {
            return match self.call(&order.command, &message) {
                Ok(reply) => Outcome::Done { reply: decoded(&reply), events: Vec::new() },
                Err(error) => Outcome::Refused(error.to_string()),
            };
        };
        let mut events = Vec::new();
        self.register_event(event).unwrap();
        let reply = self.call_streaming(&order.command, &message, |_, event| events.push(decoded(event)));
        self.unregister_event(event).unwrap();
        match reply {
            Ok(reply) => Outcome::Done { reply: decoded(&reply), events },
            Err(error) => Outcome::Refused(error.to_string()),
        }
    }

    fn listen(&mut self, events: &[&str]) {
        events.iter().for_each(|event| self.register_event(event).unwrap());
        while let Ok((name, message)) = self.next_event() {
            tell(&name, decoded(&message));
        }
    }
}

fn encoded(value: &Value) -> Message {
    let mut message = Message::new();
    push(&mut message, value);
    message
}

fn push(message: &mut Message, value: &Value) {
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => {
                message.push(Element::SectionStart(name.clone()));
                push(message, value);
                message.push(Element::SectionEnd);
            }
            Value::Array(items) => {
                message.push(Element::ListStart(name.clone()));
                items.iter().for_each(|item| message.push(Element::ListItem(raw(item))));
                message.push(Element::ListEnd);
            }
            value => message.push(Element::KeyValue(name.clone(), raw(value))),
        }
    }
}

fn decoded(message: &Message) -> Value {
    section(&mut message.elements().iter())
}

fn section<'e>(elements: &mut impl Iterator<Item = &'e Element>) -> Value {
    let mut map = Map::new();
    while let Some(element) = elements.next() {
        match element {
            Element::SectionStart(name) => {
                let inner = section(elements);
                map.insert(name.clone(), inner);
            }
            Element::SectionEnd => break,
            Element::KeyValue(name, value) => {
                map.insert(name.clone(), text(value).into());
            }
            Element::ListStart(name) => {
                let items = elements.map_while(|element| match element {
                    Element::ListItem(item) => Some(Value::from(text(item))),
                    _ => None,
                });
                map.insert(name.clone(), items.collect());
            }
            Element::ListItem(_) | Element::ListEnd => unreachable!("only within a list"),
        }
    }
    map.into()
}
