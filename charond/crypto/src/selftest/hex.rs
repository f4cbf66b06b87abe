//! Octets of the vectors.

/// Octets of a constant in hexadecimal.
///
/// # Panics
/// If it is not hexadecimal.
pub(super) fn octets(hex: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    hex.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        })
        .collect::<Option<_>>()
        .expect("vectors are constants in hexadecimal")
}
