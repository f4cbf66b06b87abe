//! PEM (RFC 7468), read leniently: any line width, text around the blocks, CRLF.

use zeroize::Zeroizing;

/// Largest file taken, in octets.
pub const FILE_LEN_MAX: usize = 1 << 20;

/// One block.
pub(crate) struct Block {
    /// What stands behind `BEGIN`.
    pub(crate) label: String,
    /// Whether a header says that the octets are encrypted (RFC 1421, as OpenSSL once wrote keys).
    pub(crate) is_encrypted: bool,
    /// The octets; wiped, because they may be a key.
    pub(crate) octets: Zeroizing<Vec<u8>>,
}

/// Whether it looks like PEM rather than DER.
pub(crate) fn is_pem(file: &[u8]) -> bool {
    file.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

/// All blocks of a text; a block that is cut off or not base64 ends the list.
pub(crate) fn blocks(file: &[u8]) -> Vec<Block> {
    let mut found = Vec::new();
    let text = Zeroizing::new(String::from_utf8_lossy(file).into_owned());
    let mut rest = text.as_str();
    while let Some((block, after)) = next_block(rest) {
        found.extend(block);
        rest = after;
    }
    found
}

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

fn next_block(text: &str) -> Option<(Option<Block>, &str)> {
    let (_, text) = text.split_once(BEGIN)?;
    let (label, text) = text.split_once(DASHES)?;
    let (body, after) = text.split_once("-----END ")?;
    let mut is_encrypted = false;
    let mut digits = Zeroizing::new(String::with_capacity(body.len()));
    for line in body.lines() {
        // Headers are the only lines with a colon; base64 has none.
        if line.contains(':') {
            is_encrypted |= line.contains("ENCRYPTED");
        } else if !is_encrypted {
            digits.push_str(line.trim());
        }
    }
    let octets = decode_base64(&digits);
    Some((octets.map(|octets| Block { label: label.to_owned(), is_encrypted, octets }), after))
}

fn decode_base64(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = digits.trim_end_matches('=');
    let mut octets = Zeroizing::new(Vec::with_capacity(digits.len() / 4 * 3 + 3));
    for group in digits.as_bytes().chunks(4) {
        let mut bits: u32 = 0;
        for place in 0..4 {
            let value = group.get(place).map_or(Some(0), |digit| base64_value(*digit))?;
            bits = (bits << 6) | u32::from(value);
        }
        let [_, first, second, third] = bits.to_be_bytes();
        let whole = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        octets.extend([first, second, third].into_iter().take(whole));
    }
    Some(octets)
}

const fn base64_value(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_among_other_text_whatever_the_line_width() {
        let file = "noise\r\n-----BEGIN ONE-----\r\nAQ\r\nID\r\n-----END ONE-----\n-----BEGIN TWO-----\nBA==\n-----END TWO-----\n";
        let found = blocks(file.as_bytes());
        let shown: Vec<_> = found.iter().map(|block| (block.label.as_str(), block.octets.to_vec())).collect();
        assert_eq!(shown, [("ONE", vec![1, 2, 3]), ("TWO", vec![4])]);
        assert!(is_pem(file.as_bytes()) && !is_pem(&[0x30, 0]));
    }

    #[test]
    fn broken_blocks_are_left_out() {
        assert!(blocks(b"-----BEGIN X-----\nA\n-----END X-----").is_empty());
        assert!(blocks(b"-----BEGIN X-----\nA*==\n-----END X-----").is_empty());
        assert!(blocks(b"-----BEGIN X-----\nAQID").is_empty());
    }

    #[test]
    fn a_header_tells_of_encryption() {
        let file = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nAQID\n-----END RSA PRIVATE KEY-----";
        assert!(blocks(file).first().is_some_and(|block| block.is_encrypted));
    }
}
