use futures_util::stream::{StreamExt, select_all};
use rsvici::Client;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use crate::{Executor, Order, Outcome, tell, text};

pub struct Rsvici {
    runtime: Runtime,
    client: Client,
}

pub fn connect(socket: &str) -> Rsvici {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(rsvici::unix::connect(socket)).unwrap();
    Rsvici { runtime, client }
}

impl Executor for Rsvici {
    fn execute(&mut self, order: &Order) -> Outcome {
        let message = match &order.message {
            Value::Null => Value::Object(Default::default()),
            message => message.clone(),
        };
        let client = &mut self.client;
        self.runtime.block_on(async {
            let Some(event) = &order.stream else {
                return match client.request::<_, Tree>(&order.command, message).await {
                    Ok(Tree(reply)) => Outcome::Done { reply, events: Vec::new() },
                    Err(error) => Outcome::Refused(error.to_string()),
                };
            };
            let mut stream = Box::pin(client.stream_request::<_, Tree>(&order.command, event, message));
            let mut events = Vec::new();
            while let Some(next) = stream.next().await {
                match next {
                    Ok(Tree(event)) => events.push(event),
                    Err(error) => return Outcome::Refused(error.to_string()),
                }
            }
            Outcome::Done { reply: Value::Null, events }
        })
    }

    fn listen(&mut self, events: &[&str]) {
        let client = &mut self.client;
        self.runtime.block_on(async {
            let streams: Vec<_> = events
                .iter()
                .map(|event| {
                    let name = (*event).to_owned();
                    Box::pin(client.subscribe::<Tree>(event).map(move |message| (name.clone(), message)))
                })
                .collect();
            let mut all = select_all(streams);
            while let Some((name, Ok(Tree(message)))) = all.next().await {
                tell(&name, message);
            }
        });
    }
}

/// Whatever a message holds; the crate itself has no such type.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Tree, E> {
        Ok(Tree(text(bytes).into()))
    }

    fn visit_str<E>(self, string: &str) -> Result<Tree, E> {
        Ok(Tree(string.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree(Map::new().into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Map::new();
        while let Some((name, Tree(value))) = entries.next_entry::<String, Tree>()? {
            map.insert(name, value);
        }
        Ok(Tree(map.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(Tree(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree(list.into()))
    }
}
