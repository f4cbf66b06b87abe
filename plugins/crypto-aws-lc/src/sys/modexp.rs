//! Constant-time exponentiation modulo the safe primes of RFC 3526.

use std::ptr::{NonNull, null_mut};

use aws_lc_sys::{
    BIGNUM, BN_CTX, BN_CTX_free, BN_CTX_new, BN_MONT_CTX, BN_MONT_CTX_free, BN_MONT_CTX_new_for_modulus,
    BN_bin2bn, BN_bn2bin_padded, BN_clear_free, BN_cmp, BN_dup, BN_get_rfc3526_prime_2048,
    BN_get_rfc3526_prime_3072, BN_get_rfc3526_prime_4096, BN_get_rfc3526_prime_6144,
    BN_get_rfc3526_prime_8192, BN_is_one, BN_is_zero, BN_mod_exp_mont_consttime, BN_new, BN_num_bytes,
    BN_sub_word,
};
use charon_crypto::CryptoError;

/// Which prime.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rfc3526 {
    /// Group 14.
    Bits2048,
    /// Group 15.
    Bits3072,
    /// Group 16.
    Bits4096,
    /// Group 17.
    Bits6144,
    /// Group 18.
    Bits8192,
}

/// A number, wiped when dropped.
struct Number(NonNull<BIGNUM>);

impl Number {
    fn owned(number: *mut BIGNUM) -> Result<Self, CryptoError> {
        NonNull::new(number).map(Self).ok_or(CryptoError::Provider)
    }

    fn new() -> Result<Self, CryptoError> {
        // SAFETY: takes nothing; a null return is refused.
        Self::owned(unsafe { BN_new() })
    }

    fn from_octets(octets: &[u8]) -> Result<Self, CryptoError> {
        // SAFETY: octets is readable for its length; a null target asks for a new number.
        Self::owned(unsafe { BN_bin2bn(octets.as_ptr(), octets.len(), null_mut()) })
    }

    fn as_ptr(&self) -> *mut BIGNUM {
        self.0.as_ptr()
    }

    fn is_zero_or_one(&self) -> bool {
        // SAFETY: the number is alive.
        let zero = unsafe { BN_is_zero(self.as_ptr()) };
        // SAFETY: as above.
        let one = unsafe { BN_is_one(self.as_ptr()) };
        zero == 1 || one == 1
    }

    fn is_below(&self, other: &Self) -> bool {
        // SAFETY: both numbers are alive.
        let order = unsafe { BN_cmp(self.as_ptr(), other.as_ptr()) };
        order < 0
    }

    fn write_padded(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        // SAFETY: out is writable for its length.
        let done = unsafe { BN_bn2bin_padded(out.as_mut_ptr(), out.len(), self.as_ptr()) };
        if done == 1 { Ok(()) } else { Err(CryptoError::InvalidLength) }
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: the number is owned and not used after this.
        unsafe { BN_clear_free(self.as_ptr()) };
    }
}

/// Temporary space for one operation.
struct Scratch(NonNull<BN_CTX>);

impl Scratch {
    fn new() -> Result<Self, CryptoError> {
        // SAFETY: takes nothing; a null return is refused.
        let scratch = unsafe { BN_CTX_new() };
        NonNull::new(scratch).map(Self).ok_or(CryptoError::Provider)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: the scratch space is owned and not used after this.
        unsafe { BN_CTX_free(self.0.as_ptr()) };
    }
}

/// A safe prime p with its Montgomery constants.
pub(crate) struct SafePrime {
    prime: Number,
    /// p - 1, the first value that no peer may send.
    limit: Number,
    montgomery: NonNull<BN_MONT_CTX>,
    octets: usize,
}

// SAFETY: everything in it is owned and has no tie to the thread that made it.
unsafe impl Send for SafePrime {}
// SAFETY: after construction prime, limit and montgomery are only read.
unsafe impl Sync for SafePrime {}

impl SafePrime {
    /// # Panics
    /// If there is no memory.
    pub(crate) fn new(which: Rfc3526) -> Self {
        Self::try_new(which).expect("a constant prime has Montgomery constants")
    }

    fn try_new(which: Rfc3526) -> Result<Self, CryptoError> {
        let constant = match which {
            Rfc3526::Bits2048 => BN_get_rfc3526_prime_2048,
            Rfc3526::Bits3072 => BN_get_rfc3526_prime_3072,
            Rfc3526::Bits4096 => BN_get_rfc3526_prime_4096,
            Rfc3526::Bits6144 => BN_get_rfc3526_prime_6144,
            Rfc3526::Bits8192 => BN_get_rfc3526_prime_8192,
        };
        // SAFETY: a null target asks for a new number.
        let prime = Number::owned(unsafe { constant(null_mut()) })?;
        // SAFETY: prime is alive.
        let limit = Number::owned(unsafe { BN_dup(prime.as_ptr()) })?;
        // SAFETY: limit is alive and nobody else has it.
        if unsafe { BN_sub_word(limit.as_ptr(), 1) } != 1 {
            return Err(CryptoError::Provider);
        }
        let scratch = Scratch::new()?;
        // SAFETY: prime and scratch are alive; the prime is odd.
        let montgomery = unsafe { BN_MONT_CTX_new_for_modulus(prime.as_ptr(), scratch.0.as_ptr()) };
        let montgomery = NonNull::new(montgomery).ok_or(CryptoError::Provider)?;
        // SAFETY: prime is alive.
        let octets = unsafe { BN_num_bytes(prime.as_ptr()) };
        let octets = usize::try_from(octets).map_err(|_| CryptoError::Provider)?;
        Ok(Self { prime, limit, montgomery, octets })
    }

    /// Octets of the prime.
    pub(crate) const fn octets(&self) -> usize {
        self.octets
    }

    /// base^exponent mod p, padded with zeros to fill `out`. Constant in time for exponents of one length.
    ///
    /// # Errors
    /// [`CryptoError::InvalidPublicValue`] unless 1 < base < p-1.
    pub(crate) fn pow(&self, base: &[u8], exponent: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        let base = Number::from_octets(base)?;
        if base.is_zero_or_one() || !base.is_below(&self.limit) {
            return Err(CryptoError::InvalidPublicValue);
        }
        let exponent = Number::from_octets(exponent)?;
        let result = Number::new()?;
        let scratch = Scratch::new()?;
        // SAFETY: all six are alive; result is a number of its own; the library only reads the others.
        let done = unsafe {
            BN_mod_exp_mont_consttime(
                result.as_ptr(),
                base.as_ptr(),
                exponent.as_ptr(),
                self.prime.as_ptr(),
                scratch.0.as_ptr(),
                self.montgomery.as_ptr(),
            )
        };
        if done != 1 {
            return Err(CryptoError::Provider);
        }
        result.write_padded(out)
    }
}

impl Drop for SafePrime {
    fn drop(&mut self) {
        // SAFETY: the constants are owned and not used after this.
        unsafe { BN_MONT_CTX_free(self.montgomery.as_ptr()) };
    }
}
