use super::*;
use crate::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Auth {
    Psk,
    Pubkey { certs: Vec<String> },
    Eap(String),
    Rounds(u8, u8),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Spi(u32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything<'m> {
    text: &'m str,
    #[serde(with = "serde_bytes_as_is")]
    bytes: &'m [u8],
    yes: bool,
    number: i64,
    ratio: f64,
    letter: char,
    spi: Spi,
    there: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<String>,
    list: Vec<u8>,
    pair: (String, bool),
    map: BTreeMap<u32, String>,
    plain: Auth,
    section: Auth,
    value: Auth,
    tuple: Auth,
}

mod serde_bytes_as_is {
    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'m, D: serde::Deserializer<'m>>(from: D) -> Result<&'m [u8], D::Error> {
        serde::Deserialize::deserialize(from)
    }
}

fn everything() -> Everything<'static> {
    Everything {
        text: "hello",
        bytes: &[0xff, 0],
        yes: true,
        number: -7,
        ratio: 1.5,
        letter: 'x',
        spi: Spi(0xc000_0001),
        there: Some(500),
        gone: None,
        list: vec![1, 2],
        pair: ("a".into(), false),
        map: BTreeMap::from([(1, "one".into()), (2, "two".into())]),
        plain: Auth::Psk,
        section: Auth::Pubkey { certs: vec!["c".into()] },
        value: Auth::Eap("md5".into()),
        tuple: Auth::Rounds(1, 2),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let message = to_message(&everything()).unwrap();
    let expected = Message::new()
        .with("text", "hello")
        .with("bytes", [0xff, 0])
        .with("yes", "yes")
        .with("number", "-7")
        .with("ratio", "1.5")
        .with("letter", "x")
        .with("spi", "3221225473")
        .with("there", "500")
        .with_list("list", ["1", "2"])
        .with_list("pair", ["a", "no"])
        .with_section("map", &Message::new().with("1", "one").with("2", "two"))
        .with("plain", "psk")
        .with_section(
            "section",
            &Message::new().with_section("pubkey", &Message::new().with_list("certs", ["c"])),
        )
        .with_section("value", &Message::new().with("eap", "md5"))
        .with_section("tuple", &Message::new().with_list("rounds", ["1", "2"]));
    assert_eq!(message, expected);
    assert_eq!(from_message::<Everything<'_>>(&message).unwrap(), everything());
    assert_eq!(from_slice::<Everything<'_>>(message.encode().unwrap()).unwrap(), everything());
}

#[test]
fn what_a_type_does_not_know_is_read_over() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Little {
        last: u8,
    }
    let inner = Message::new().with_list("l", ["x"]).with_section("s", &Message::new().with("k", "v"));
    let message = Message::new().with_section("first", &inner).with_list("second", ["y"]).with("last", "3");
    assert_eq!(from_message::<Little>(&message).unwrap(), Little { last: 3 });
    assert!(from_slice::<Little>(b"\x03\x04last\x00\x013\x09").is_err());
    assert_eq!(from_slice::<Little>(b"\x03\x04last\x00\x013\x01\x01s").unwrap(), Little { last: 3 });
}

#[test]
fn faults_are_told_as_what_they_are() {
    #[derive(Debug, Deserialize, Serialize)]
    struct One<T> {
        v: T,
    }
    let read =
        |value: &str| from_message::<One<u8>>(&Message::new().with("v", value)).unwrap_err().to_string();
    for wrong in ["300", "-1", "", "1 ", "99999999999999999999", "1:"] {
        assert_eq!(read(wrong), format!("'{wrong}' is no u8"));
    }
    let long = from_message::<One<u64>>(&Message::new().with("v", u64::MAX.to_string())).unwrap();
    assert_eq!(long.v, u64::MAX);
    let flag = from_message::<One<bool>>(&Message::new().with("v", "maybe")).unwrap_err();
    assert_eq!(flag.to_string(), "'maybe' is no yes or no");
    let text = from_message::<One<String>>(&Message::new().with("v", [0xff])).unwrap_err();
    assert!(text.to_string().contains("byte array"), "{text}");
    assert_eq!(from_message::<One<u8>>(&Message::new()).unwrap_err().to_string(), "missing field `v`");
    assert_eq!(
        to_message("text").unwrap_err().to_string(),
        "a value outside of a section cannot be in a message"
    );
    let lists = to_message(&One { v: vec![vec![1]] }).unwrap_err();
    assert_eq!(lists.to_string(), "a list in a list cannot be in a message");
    assert!(matches!(to_message(&One { v: "x".repeat(70_000) }).unwrap_err().fault(), Fault::Encode(_)));
    assert!(matches!(to_message(&BTreeMap::from([("k\n", 1)])).unwrap_err().fault(), Fault::Encode(_)));
}

#[test]
fn text_is_judged_value_by_value() {
    // The whole of both is UTF-8, for a length makes a character of what stands before or behind it; the values are not.
    for cut in
        [b"\x03\x01a\x00\x01\xc3\x83\x01b\x00\x00".as_slice(), b"\x03\x01a\x00\x02x\xd0\xb0\x01b\x00\x00"]
    {
        assert!(from_slice::<BTreeMap<&str, &str>>(cut).is_err(), "{cut:?}");
    }
    // The whole of this one is not, for the sake of a value that nobody reads as text.
    #[derive(Deserialize)]
    struct Text<'m> {
        text: &'m str,
    }
    let message = Message::new().with("data", b"\xff").with("text", "ü");
    assert_eq!(from_message::<Text<'_>>(&message).unwrap().text, "ü");
    let message = Message::new().with("text", "ü").with_section("k", &Message::new().with("l", "ß"));
    assert_eq!(from_message::<Text<'_>>(&message).unwrap().text, "ü");
}
