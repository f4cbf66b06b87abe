//! What no recording shows: bounds, separation of clients, the socket itself.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use charon_types::alert::Alert;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use vici::{Client, Message, Name, Packet, Uri};

use crate::daemon::{Daemon, run};

fn frame(packet: Packet<'_>) -> Vec<u8> {
    let packet = packet.to_vec().unwrap();
    let mut frame = u32::try_from(packet.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(packet);
    frame
}

fn register(event: &str) -> Vec<u8> {
    frame(Packet::EventRegister { name: Name::new(event.as_bytes()).unwrap() })
}

#[test]
fn nobody_but_owner_and_group_can_connect() {
    run(async {
        let daemon = Daemon::start().await;
        let mode = std::fs::metadata(daemon.socket()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
    });
}

#[test]
fn a_client_that_does_not_read_events_is_disconnected_and_delays_nobody() {
    run(async {
        let daemon = Daemon::start().await;
        let mut stalled = UnixStream::connect(daemon.socket()).await.unwrap();
        stalled.write_all(&register("log")).await.unwrap();
        let mut confirmation = [0; 5];
        stalled.read_exact(&mut confirmation).await.unwrap();
        let line = "x".repeat(60_000);
        let mut other = daemon.connect().await;
        let nothing = Message::new();
        for _ in 0..200 {
            tracing::info!(target: "IKE", "{line}");
            let asked = other.request("version", &nothing);
            tokio::time::timeout(Duration::from_secs(5), asked).await.expect("answered at once");
        }
        let mut rest = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stalled.read_to_end(&mut rest)).await;
        drop(read.expect("the connection ends"));
        assert!(rest.len() < 200 * line.len());
    });
}

#[test]
fn a_client_that_does_not_read_answers_is_not_read_from_and_delays_nobody() {
    run(async {
        let daemon = Daemon::start().await;
        let mut stalled = UnixStream::connect(daemon.socket()).await.unwrap();
        let request = frame(Packet::Request { name: Name::new(b"stats").unwrap(), message: b"" });
        let requests = request.repeat(1000);
        let flood = async {
            loop {
                stalled.write_all(&requests).await.unwrap();
            }
        };
        let stopped: Result<(), _> = tokio::time::timeout(Duration::from_secs(2), flood).await;
        assert!(stopped.is_err(), "never pushed back");
        let mut other = daemon.connect().await;
        let nothing = Message::new();
        let asked = other.request("version", &nothing);
        tokio::time::timeout(Duration::from_secs(5), asked).await.expect("answered at once");
    });
}

#[test]
fn packets_that_are_none_get_no_answer_but_a_log_line_with_their_count() {
    run(async {
        let daemon = Daemon::start().await;
        let mut watcher = Client::connect(&Uri::Unix(daemon.socket())).await.unwrap();
        watcher.subscribe("log").await.unwrap();
        let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
        stream.write_all(b"\0\0\0\x01\x09\0\0\0\x01\x00").await.unwrap();
        stream
            .write_all(&frame(Packet::Request { name: Name::new(b"get-conns").unwrap(), message: b"" }))
            .await
            .unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[4], 1, "the first answer is to the request");
        let mut lines = Vec::new();
        while lines.len() < 2 {
            let event = watcher.next_event().await.unwrap();
            let line = event.message.text("msg").unwrap().to_owned();
            if line.contains("such packets so far") {
                lines.push(line);
            }
        }
        assert!(lines[0].starts_with("unsupported vici operation: 9 "), "{lines:?}");
        assert!(lines[1].starts_with("invalid vici request message "), "{lines:?}");
        assert!(lines[1].contains(", 2 such packets"), "{lines:?}");
    });
}

#[test]
fn connections_before_a_wrong_one_stay_and_those_behind_it_are_not_loaded() {
    run(async {
        let daemon = Daemon::start().await;
        let mut client = daemon.connect().await;
        let wrong = Message::new().with("nosuch", "1");
        let message = Message::new()
            .with_section("first", &Message::new())
            .with_section("second", &wrong)
            .with_section("third", &Message::new());
        let reply = client.request("load-conn", &message).await;
        assert_eq!(reply.text("errmsg"), Some("unknown option: nosuch, config discarded"));
        let names = client.request("get-conns", &Message::new()).await;
        assert_eq!(names.root().list("conns").unwrap().texts().collect::<Vec<_>>(), ["first"]);
    });
}

#[test]
fn the_socket_of_a_daemon_that_is_gone_is_replaced() {
    run(async {
        let daemon = Daemon::start().await;
        let path = daemon.socket();
        let again = Daemon::start_at(&path).await;
        let mut client = Client::connect(&Uri::Unix(path)).await.unwrap();
        assert!(client.request("version", &Message::new()).await.unwrap().text("vici").is_some());
        drop((daemon, again));
    });
}

#[test]
fn tcp_sockets_serve_as_well() {
    run(async {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let uri = Uri::Tcp { host: "127.0.0.1".to_owned(), port };
        let _daemon = Daemon::start_on(uri.clone()).await;
        let mut client = Client::connect(&uri).await.unwrap();
        assert!(client.request("version", &Message::new()).await.unwrap().text("vici").is_some());
    });
}

#[test]
fn algorithms_are_listed_in_the_known_sections_with_their_plugin() {
    run(async {
        let daemon = Daemon::start().await;
        let algorithms = daemon.connect().await.request("get-algorithms", &Message::new()).await;
        let sections: Vec<_> = algorithms.root().sections().map(|(name, _)| name.to_string()).collect();
        let expected = "encryption integrity aead hasher prf xof kdf drbg ke rng nonce-gen";
        assert_eq!(sections, expected.split(' ').collect::<Vec<_>>());
        assert_eq!(algorithms.section("aead").unwrap().text("AES_GCM_16"), Some("crypto-aws-lc"));
        assert_eq!(algorithms.section("ke").unwrap().text("CURVE_25519"), Some("crypto-aws-lc"));
    });
}

#[test]
fn a_read_only_socket_shows_and_tells_but_changes_nothing() {
    run(async {
        let daemon = Daemon::start().await;
        let mut client = Client::connect(&Uri::Unix(daemon.read_only_socket())).await.unwrap();
        let nothing = Message::new();
        for command in ["version", "stats", "list-conns", "get-conns", "get-algorithms", "get-counters"] {
            let reply = client.request(command, &nothing).await.unwrap();
            assert_ne!(reply.text("success"), Some("no"), "{command}");
        }
        for command in
            ["load-conn", "unload-conn", "clear-creds", "initiate", "reload-settings", "reset-counters"]
        {
            let reply = client.request(command, &nothing).await.unwrap();
            assert_eq!(
                reply.text("errmsg"),
                Some(&*format!("{command} is not allowed on a read-only socket"))
            );
        }
        client.subscribe("log").await.unwrap();
        daemon.connect().await.request("load-conn", &Message::new().with_section("new", &nothing)).await;
        let event = client.next_event().await.unwrap();
        assert_eq!(event.message.text("msg"), Some("added vici connection: new"));
    });
}

#[test]
fn the_certificate_of_an_authority_is_trusted_only_while_something_loads_it() {
    run(async {
        let daemon = Daemon::start().await;
        let mut client = daemon.connect().await;
        let (_, authority) = crate::recording::requests("load-authority", "load-authority").remove(0);
        let name = Message::new().with("name", "ca1");
        client.request("load-authority", &authority).await;
        assert_eq!(daemon.authorities(), 1);
        client.request("clear-creds", &Message::new()).await;
        assert_eq!(daemon.authorities(), 1);
        assert_eq!(client.request("unload-authority", &name).await.text("success"), Some("yes"));
        assert_eq!(daemon.authorities(), 0);
        let cacert = authority.section("ca1").and_then(|ca| ca.data("cacert")).unwrap();
        let loaded = Message::new().with("type", "X509").with("flag", "CA").with("data", cacert);
        client.request("load-authority", &authority).await;
        client.request("load-cert", &loaded).await;
        client.request("unload-authority", &name).await;
        assert_eq!(daemon.authorities(), 1);
    });
}

#[test]
fn alerts_are_told_with_the_ike_sa_concerned() {
    run(async {
        let daemon = Daemon::start().await;
        let mut client = Client::connect(&Uri::Unix(daemon.socket())).await.unwrap();
        client.subscribe("alert").await.unwrap();
        daemon.raise(Alert::ShutdownSignal, None);
        daemon.raise(Alert::PeerAuthFailed, Some("gw"));
        let first = client.next_event().await.unwrap().message;
        assert_eq!((first.text("type"), first.section("ike-sa")), (Some("shutdown-signal"), None));
        let second = client.next_event().await.unwrap().message;
        assert_eq!(second.text("type"), Some("peer-auth-failed"));
        assert_eq!(
            second.section("ike-sa").and_then(|sa| sa.section("gw")).unwrap().text("version"),
            Some("2")
        );
    });
}

#[test]
fn connections_keep_the_order_of_their_first_loading_however_many_go() {
    run(async {
        let daemon = Daemon::start().await;
        let mut client = daemon.connect().await;
        let (nothing, name) = (Message::new(), |number: u32| format!("c{number}"));
        for number in 0..300 {
            client.request("load-conn", &Message::new().with_section(&name(number), &nothing)).await;
        }
        for number in (0..300).filter(|number| number % 10 != 0) {
            client.request("unload-conn", &Message::new().with("name", name(number))).await;
        }
        let changed = Message::new().with_section("c0", &Message::new().with("version", "2"));
        for message in [changed, Message::new().with_section("c7", &nothing)] {
            client.request("load-conn", &message).await;
        }
        let loaded = client.request("get-conns", &nothing).await;
        let expected: Vec<_> = (0..300).step_by(10).chain([7]).map(name).collect();
        assert_eq!(loaded.root().list("conns").unwrap().texts().collect::<Vec<_>>(), expected);
        let again = client.request("unload-conn", &Message::new().with("name", "c5")).await;
        assert_eq!(again.text("errmsg"), Some("unload: connection 'c5' not found"));
    });
}

/// A client that has asked for the list of all IKE_SAs and reads nothing.
async fn stalled_lister(daemon: &Daemon) -> UnixStream {
    let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
    let list = frame(Packet::Request { name: Name::new(b"list-sas").unwrap(), message: b"" });
    stream.write_all(&[register("list-sa"), list].concat()).await.unwrap();
    stream
}

#[test]
fn a_hundred_thousand_ike_sas_are_listed_while_others_stall_and_ask() {
    run(async {
        let daemon = Daemon::start().await;
        daemon.engine().set_multitude(100_000);
        let mut stalled = Vec::new();
        for _ in 0..8 {
            stalled.push(stalled_lister(&daemon).await);
        }
        let mut lister = Client::connect(&Uri::Unix(daemon.socket())).await.unwrap();
        let listing = async {
            let mut listed = 0;
            let mut sas = lister.stream("list-sas", "list-sa", &Message::new()).await.unwrap();
            while sas.next_event().await.unwrap().is_some() {
                listed += 1;
            }
            listed
        };
        let mut other = daemon.connect().await;
        let asking = async {
            let nothing = Message::new();
            for _ in 0..500 {
                let asked = other.request("version", &nothing);
                tokio::time::timeout(Duration::from_secs(5), asked).await.expect("answered meanwhile");
            }
        };
        let (listed, ()) = tokio::join!(listing, asking);
        assert_eq!(listed, 100_000);
        // Whoever stalled may go on at any time.
        let mut first = [0; 9];
        stalled[0].read_exact(&mut first).await.unwrap();
        assert_eq!((first[4], first[8] > 0), (5, true));
    });
}

#[test]
fn a_client_that_dies_in_mid_packet_or_mid_listing_leaves_nothing_behind() {
    run(async {
        let daemon = Daemon::start().await;
        daemon.engine().set_multitude(100_000);
        let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let at_rest = alive();
        for cut in [1, 4, 5, 10] {
            let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
            let request = frame(Packet::Request { name: Name::new(b"version").unwrap(), message: b"abc" });
            stream.write_all(&request[..cut]).await.unwrap();
            drop(stream);
            let mut lister = stalled_lister(&daemon).await;
            let mut some = [0; 1000];
            lister.read_exact(&mut some).await.unwrap();
        }
        let mut other = daemon.connect().await;
        assert!(other.request("version", &Message::new()).await.text("daemon").is_some());
        let gone = async {
            // A chunk waits for whoever takes it; nobody does any more.
            while alive() > at_rest + 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(15), gone).await.expect("their tasks end");
    });
}

#[test]
fn what_was_begun_is_answered_when_the_daemon_ends() {
    run(async {
        let daemon = Daemon::start().await;
        let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
        stream.write_all(&register("alert")).await.unwrap();
        let mut confirmation = [0; 5];
        stream.read_exact(&mut confirmation).await.unwrap();
        daemon.raise(Alert::ShutdownSignal, None);
        daemon.stop().await;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(String::from_utf8_lossy(&rest).contains("shutdown-signal"));
    });
}
