//! ECDSA signatures between DER (`SEQUENCE { r INTEGER, s INTEGER }`) and r ‖ s padded to the curve (RFC 4754 §7).

use charon_crypto::CryptoError;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Longest content with a one-octet length; P-521 needs one more octet, `0x81`.
const SHORT_LEN_MAX: usize = 0x7f;
const LONG_LEN_OF_ONE: u8 = 0x81;

/// r ‖ s, each `field_len` octets, from DER.
pub(crate) fn fixed_from_der(der: &[u8], field_len: usize) -> Result<Vec<u8>, CryptoError> {
    let (content, rest) = element(der, SEQUENCE)?;
    let (r, after_r) = element(content, INTEGER)?;
    let (s, after_s) = element(after_r, INTEGER)?;
    if !rest.is_empty() || !after_s.is_empty() {
        return Err(CryptoError::InvalidLength);
    }
    let mut fixed = vec![0; 2 * field_len];
    let (r_out, s_out) = fixed.split_at_mut(field_len);
    write_padded(r, r_out)?;
    write_padded(s, s_out)?;
    Ok(fixed)
}

/// DER from r ‖ s, each `field_len` octets.
pub(crate) fn der_from_fixed(fixed: &[u8], field_len: usize) -> Result<Vec<u8>, CryptoError> {
    if fixed.len() != 2 * field_len {
        return Err(CryptoError::Forged);
    }
    let (r, s) = fixed.split_at(field_len);
    let mut content = Vec::with_capacity(fixed.len() + 8);
    push_integer(&mut content, r)?;
    push_integer(&mut content, s)?;
    let mut der = Vec::with_capacity(content.len() + 3);
    push_header(&mut der, SEQUENCE, content.len())?;
    der.extend_from_slice(&content);
    Ok(der)
}

/// Content of the element with that tag at the front, and what follows it.
fn element(der: &[u8], tag: u8) -> Result<(&[u8], &[u8]), CryptoError> {
    let (len, body) = match der {
        [first, LONG_LEN_OF_ONE, len, body @ ..] if *first == tag => (usize::from(*len), body),
        [first, len, body @ ..] if *first == tag && usize::from(*len) <= SHORT_LEN_MAX => {
            (usize::from(*len), body)
        }
        _ => return Err(CryptoError::InvalidLength),
    };
    body.split_at_checked(len).ok_or(CryptoError::InvalidLength)
}

fn write_padded(integer: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
    let digits = without_leading_zeros(integer);
    let at = out.len().checked_sub(digits.len()).ok_or(CryptoError::InvalidLength)?;
    out[at..].copy_from_slice(digits);
    Ok(())
}

fn without_leading_zeros(integer: &[u8]) -> &[u8] {
    let first = integer.iter().position(|&octet| octet != 0).unwrap_or(integer.len());
    &integer[first..]
}

fn push_integer(out: &mut Vec<u8>, number: &[u8]) -> Result<(), CryptoError> {
    let digits = without_leading_zeros(number);
    // A set top bit would read as a minus sign; zero needs an octet as well.
    let needs_zero = digits.first().is_none_or(|octet| octet & 0x80 != 0);
    push_header(out, INTEGER, digits.len() + usize::from(needs_zero))?;
    if needs_zero {
        out.push(0);
    }
    out.extend_from_slice(digits);
    Ok(())
}

fn push_header(out: &mut Vec<u8>, tag: u8, len: usize) -> Result<(), CryptoError> {
    out.push(tag);
    if len > SHORT_LEN_MAX {
        out.push(LONG_LEN_OF_ONE);
    }
    out.push(u8::try_from(len).map_err(|_| CryptoError::InvalidLength)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_convert_both_ways_with_padding_and_sign_octets() {
        let mut fixed = [0; 8];
        fixed[..4].copy_from_slice(&[0, 0, 0x80, 1]);
        fixed[4..].copy_from_slice(&[0x7f, 2, 3, 4]);
        let der = der_from_fixed(&fixed, 4).unwrap();
        assert_eq!(der, [0x30, 11, 2, 3, 0, 0x80, 1, 2, 4, 0x7f, 2, 3, 4]);
        assert_eq!(fixed_from_der(&der, 4).unwrap(), fixed);
    }

    #[test]
    fn the_longest_form_has_a_two_octet_length() {
        let fixed = [0xff; 132];
        let der = der_from_fixed(&fixed, 66).unwrap();
        assert_eq!(&der[..3], [0x30, 0x81, 138]);
        assert_eq!(fixed_from_der(&der, 66).unwrap(), fixed);
    }

    #[test]
    fn broken_der_is_an_error() {
        for der in [&[][..], &[0x30], &[0x30, 5, 2, 1, 1], &[0x30, 6, 2, 1, 1, 2, 1, 1, 0], &[0x31, 0]] {
            assert!(fixed_from_der(der, 32).is_err(), "{der:?}");
        }
        assert!(fixed_from_der(&[0x30, 6, 2, 1, 1, 2, 1, 1], 0).is_err());
    }
}
