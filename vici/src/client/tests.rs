use super::*;
use crate::packet::Packet;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Reads one frame as the daemon would and compares it.
async fn expect(daemon: &mut DuplexStream, packet: &[u8]) {
    let len = usize::try_from(daemon.read_u32().await.unwrap()).unwrap();
    let mut frame = vec![0; len];
    daemon.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame, packet);
}

async fn answer(daemon: &mut DuplexStream, packet: Packet<'_>) {
    let frame = packet.to_vec().unwrap();
    daemon.write_u32(u32::try_from(frame.len()).unwrap()).await.unwrap();
    daemon.write_all(&frame).await.unwrap();
}

fn event<'a>(name: &'static str, message: &'a [u8]) -> Packet<'a> {
    Packet::Event { name: crate::Name::new(name.as_bytes()).unwrap(), message }
}

#[tokio::test]
async fn a_request_is_answered_by_its_response_and_unknown_commands_are_told() {
    let (client, mut daemon) = duplex(1024);
    let mut client = Client::from_stream(client);
    let served = tokio::spawn(async move {
        expect(&mut daemon, b"\0\x05stats").await;
        answer(&mut daemon, Packet::Response { message: b"\x03\x01k\x00\x01v" }).await;
        expect(&mut daemon, b"\0\x04nope").await;
        answer(&mut daemon, Packet::CommandUnknown).await;
        daemon
    });
    assert_eq!(client.request("stats", &Message::new()).await.unwrap().text("k"), Some("v"));
    let unknown = client.request("nope", &Message::new()).await;
    assert!(matches!(unknown, Err(ClientError::CommandUnknown(name)) if name == "nope"));
    drop(served.await.unwrap());
    assert!(matches!(
        client.request("stats", &Message::new()).await,
        Err(ClientError::Frame(_) | ClientError::Closed)
    ));
}

#[tokio::test]
async fn a_streamed_command_yields_its_events_and_keeps_those_of_other_subscriptions() {
    let (client, mut daemon) = duplex(1024);
    let mut client = Client::from_stream(client);
    let served = tokio::spawn(async move {
        expect(&mut daemon, b"\x03\x03log").await;
        answer(&mut daemon, Packet::EventConfirm).await;
        expect(&mut daemon, b"\x03\x07list-sa").await;
        answer(&mut daemon, Packet::EventConfirm).await;
        expect(&mut daemon, b"\0\x08list-sas").await;
        answer(&mut daemon, event("list-sa", b"\x01\x01a\x02")).await;
        answer(&mut daemon, event("log", b"\x03\x03msg\x00\x02hi")).await;
        answer(&mut daemon, event("list-sa", b"\x01\x01b\x02")).await;
        answer(&mut daemon, Packet::Response { message: b"" }).await;
        expect(&mut daemon, b"\x04\x07list-sa").await;
        answer(&mut daemon, Packet::EventConfirm).await;
        daemon
    });
    client.subscribe("log").await.unwrap();
    let mut sas = client.stream("list-sas", "list-sa", &Message::new()).await.unwrap();
    let mut names = Vec::new();
    while let Some(sa) = sas.next_event().await.unwrap() {
        names.extend(sa.root().sections().map(|(name, _)| name.to_string()));
    }
    assert_eq!(names, ["a", "b"]);
    assert!(sas.response().await.unwrap().is_empty());
    let log = client.next_event().await.unwrap();
    assert_eq!((log.name.as_str(), log.message.text("msg")), ("log", Some("hi")));
    served.await.unwrap();
}

#[tokio::test]
async fn an_abandoned_stream_is_cleaned_up_by_the_next_call() {
    let (client, mut daemon) = duplex(1024);
    let mut client = Client::from_stream(client);
    let served = tokio::spawn(async move {
        expect(&mut daemon, b"\x03\x0bcontrol-log").await;
        answer(&mut daemon, Packet::EventConfirm).await;
        expect(&mut daemon, b"\0\x08initiate").await;
        answer(&mut daemon, event("control-log", b"")).await;
        answer(&mut daemon, Packet::Response { message: b"" }).await;
        expect(&mut daemon, b"\x04\x0bcontrol-log").await;
        answer(&mut daemon, Packet::EventConfirm).await;
        expect(&mut daemon, b"\0\x07version").await;
        answer(&mut daemon, Packet::Response { message: b"\x03\x07version\x00\x011" }).await;
        daemon
    });
    drop(client.stream("initiate", "control-log", &Message::new()).await.unwrap());
    let version = client.request("version", &Message::new()).await.unwrap();
    assert_eq!(version.text("version"), Some("1"));
    served.await.unwrap();
}
