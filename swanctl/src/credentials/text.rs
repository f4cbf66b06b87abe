//! Bytes spelled as text: hexadecimal and base64.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// A secret or certificate as written in the file: `0x` and hexadecimal digits, `0s` and base64, or the text itself.
pub(crate) fn decoded(value: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    match value {
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits).ok_or_else(|| "is not hexadecimal".into()),
        [b'0', b's' | b'S', digits @ ..] => base64(digits).ok_or_else(|| "is not base64".into()),
        text => Ok(Zeroizing::new(text.to_vec())),
    }
}

/// Whether a text spells bytes rather than being them.
pub(crate) fn is_coded(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0', b'x' | b'X' | b's' | b'S', ..])
}

/// Base64, blanks and line ends ignored, padding optional.
pub(crate) fn base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
    while !digits.len().is_multiple_of(4) {
        digits.push(b'=');
    }
    let mut bytes = Zeroizing::new(vec![0; digits.len()]);
    let len = Base64::decode(digits.as_slice(), &mut bytes).ok()?.len();
    bytes.truncate(len);
    Some(bytes)
}

/// Hexadecimal digits; colons may stand between them. An odd digit at the start counts alone.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digits: Option<Zeroizing<Vec<u8>>> = text
        .iter()
        .filter(|byte| **byte != b':')
        .map(|byte| digit(*byte))
        .collect::<Option<Vec<u8>>>()
        .map(Zeroizing::new);
    let digits = digits?;
    let (odd, pairs) = digits.split_at(digits.len() % 2);
    let pairs = pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]);
    Some(Zeroizing::new(odd.iter().copied().chain(pairs).collect()))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_text_hexadecimal_or_base64() {
        let plain = |value: &str| decoded(value.as_bytes()).map(|bytes| bytes.to_vec());
        assert_eq!(plain("open sesame"), Ok(b"open sesame".to_vec()));
        assert_eq!(plain("0x00fF"), Ok(vec![0, 255]));
        assert_eq!(plain("0xabc"), Ok(vec![0xa, 0xbc]));
        assert_eq!(plain("0X00fF"), Ok(vec![0, 255]));
        assert_eq!(plain("0SAP8="), Ok(vec![0, 255]));
        assert_eq!(plain("0x"), Ok(vec![]));
        assert_eq!(plain("0sAP8="), Ok(vec![0, 255]));
        assert_eq!(plain("0sAP8"), Ok(vec![0, 255]));
        assert_eq!(plain("0xgg"), Err("is not hexadecimal".into()));
        assert_eq!(plain("0s!"), Err("is not base64".into()));
    }
}
