//! PEM: a labelled block of base64, possibly with headers, among other text (RFC 7468, RFC 1421).

use zeroize::Zeroizing;

use super::text::base64;

/// The first block of a file.
pub(crate) struct Pem {
    pub(crate) label: String,
    /// Headers of the old kind, such as `DEK-Info`.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Zeroizing<Vec<u8>>,
}

impl Pem {
    /// The first private key block, else the first block; `None` if there is none that is whole.
    pub(crate) fn find(file: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(file).ok()?;
        let mut first = None;
        for (at, _) in text.match_indices("-----BEGIN ") {
            if let Some(block) = Self::block(&text[at..]) {
                if block.label.ends_with("PRIVATE KEY") {
                    return Some(block);
                }
                first = first.or(Some(block));
            }
        }
        first
    }

    fn block(text: &str) -> Option<Self> {
        let (label, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----")?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        let mut headers = Vec::new();
        let mut digits = Zeroizing::new(String::new());
        for line in body.lines() {
            match line.split_once(':') {
                Some((name, value)) => headers.push((name.trim().to_owned(), value.trim().to_owned())),
                None => digits.push_str(line.trim()),
            }
        }
        let content = base64(digits.as_bytes())?;
        Some(Self { label: label.to_owned(), headers, content })
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// A block of that label.
pub(crate) fn write(label: &str, content: &[u8]) -> String {
    let digits = <base64ct::Base64 as base64ct::Encoding>::encode_string(content);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in digits.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_behind_other_blocks_and_text() {
        let file = "Bag Attributes\n-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n\
            -----BEGIN EC PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,00FF\r\n\r\nAAEC\r\nAw==\r\n\
            -----END EC PRIVATE KEY-----\n";
        let pem = Pem::find(file.as_bytes()).expect("a key is there");
        assert_eq!(pem.label, "EC PRIVATE KEY");
        assert_eq!(pem.header("DEK-Info"), Some("AES-128-CBC,00FF"));
        assert_eq!(*pem.content, [0, 1, 2, 3]);
    }

    #[test]
    fn half_a_block_is_none() {
        assert!(Pem::find(b"-----BEGIN X-----\nAAEC\n").is_none());
        assert!(Pem::find(b"-----BEGIN X-----\n!\n-----END X-----").is_none());
        assert!(Pem::find(&[0x30, 0xff]).is_none());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let content: Vec<u8> = (0..100).collect();
        let pem = Pem::find(write("CERTIFICATE", &content).as_bytes()).expect("a block was written");
        assert_eq!((pem.label.as_str(), &*pem.content), ("CERTIFICATE", &content));
    }
}
