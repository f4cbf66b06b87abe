//! Entries of `users`: `{{ALG}}user:level:salt:hash`.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};
use charon_types::Secret;
use scrypt::Params;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What rVRRPd's own tool chooses.
const SCRYPT_LOG_N: u8 = 4;
const SCRYPT_R: u8 = 8;
const SCRYPT_P: u8 = 1;
/// A hostile file must not cost more memory than that: 128 x r x N octets.
const SCRYPT_LOG_N_MAX: u8 = 20;
const SCRYPT_R_MAX: u8 = 32;
const SCRYPT_P_MAX: u8 = 16;
const SCRYPT_OUTPUT_LEN: usize = 32;
/// Characters of a user's name in an entry.
const USER_LEN_MAX: usize = 256;
const PASSWORD_LEN_MAX: usize = 256;

/// How a password is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256 of password and salt.
    Sha256,
    /// scrypt.
    Scrypt,
}

impl Algorithm {
    const fn tag(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA256",
            Self::Scrypt => "SCRYPT",
        }
    }
}

/// The name of an algorithm as the tool takes it: `sha256`, `scrypt`.
impl FromStr for Algorithm {
    type Err = UserError;

    fn from_str(name: &str) -> Result<Self, UserError> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "scrypt" => Ok(Self::Scrypt),
            other => Err(UserError::UnknownAlgorithm(other.to_owned())),
        }
    }
}

/// Why something is no entry, or none can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// Not `{{ALG}}user:level:salt:hash`.
    #[error("no entry of the form {{{{ALG}}}}user:level:salt:hash")]
    Malformed,
    /// Neither of the two.
    #[error("unknown hashing algorithm {0}")]
    UnknownAlgorithm(String),
    /// The REST API would never let it in.
    #[error("a user has 1 to 64 letters and digits")]
    User,
    /// The REST API would never let it in.
    #[error("a password has 1 to 256 printable ASCII characters")]
    Password,
}

/// A user who may ask.
#[derive(Clone, PartialEq, Eq)]
pub struct UserEntry {
    /// Name.
    pub user: String,
    /// How the password is kept.
    pub algorithm: Algorithm,
    /// Access level, a digit; nobody uses it.
    level: char,
    salt: String,
    hash: Secret,
}

impl UserEntry {
    /// An entry for a password. `random` is 8 octets for SHA-256, 16 for scrypt.
    ///
    /// # Errors
    /// If the REST API could not take such a user or password.
    pub fn make(
        user: &str,
        password: &str,
        algorithm: Algorithm,
        random: &[u8; 16],
    ) -> Result<Self, UserError> {
        if !(1..=64).contains(&user.len()) || !user.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(UserError::User);
        }
        if !is_password(password) {
            return Err(UserError::Password);
        }
        let (salt, hash) = match algorithm {
            Algorithm::Sha256 => {
                let salt =
                    format!("{:x}", u64::from_be_bytes(*random.first_chunk().expect("there are 16 octets")));
                let hash = sha256(password, &salt);
                (salt, hash)
            }
            Algorithm::Scrypt => {
                let params = [SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P];
                let output = scrypt_of(password, params, random).ok_or(UserError::Malformed)?;
                let encode = Base64::encode_string;
                let hash = format!("$rscrypt$0${}${}${}$", encode(&params), encode(random), encode(&output));
                (String::new(), hash)
            }
        };
        Ok(Self { user: user.to_owned(), algorithm, level: '0', salt, hash: Secret::from(hash.into_bytes()) })
    }

    /// Whether that is the password.
    #[must_use]
    pub fn verify(&self, password: &str) -> bool {
        match self.algorithm {
            Algorithm::Sha256 => sha256(password, &self.salt).as_bytes().ct_eq(self.hash.expose()).into(),
            Algorithm::Scrypt => self.verify_scrypt(password).unwrap_or(false),
        }
    }

    /// The line, its hash hidden.
    #[must_use]
    pub fn without_hash(&self) -> String {
        format!("{{{{{}}}}}{}:{}::********", self.algorithm.tag(), self.user, self.level)
    }

    /// The line, as it stands in the file.
    #[must_use]
    pub fn line(&self) -> String {
        let hash = String::from_utf8_lossy(self.hash.expose());
        format!("{{{{{}}}}}{}:{}:{}:{hash}", self.algorithm.tag(), self.user, self.level, self.salt)
    }

    fn verify_scrypt(&self, password: &str) -> Option<bool> {
        let text = std::str::from_utf8(self.hash.expose()).ok()?;
        let mut parts = text.strip_prefix("$rscrypt$0$")?.strip_suffix('$')?.split('$');
        let (params, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let decode = |part: &str| Base64::decode_vec(part).ok();
        let params = <[u8; 3]>::try_from(decode(params)?).ok()?;
        let output = scrypt_of(password, params, &decode(salt)?)?;
        Some(output[..].ct_eq(&decode(hash)?).into())
    }
}

impl FromStr for UserEntry {
    type Err = UserError;

    fn from_str(line: &str) -> Result<Self, UserError> {
        Self::read(line).ok_or(UserError::Malformed)
    }
}

impl UserEntry {
    fn read(line: &str) -> Option<Self> {
        let (tag, rest) = line.strip_prefix("{{")?.split_once("}}")?;
        let algorithm =
            [Algorithm::Sha256, Algorithm::Scrypt].into_iter().find(|known| known.tag() == tag)?;
        let mut parts = rest.splitn(4, ':');
        let (user, level, salt, hash) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let mut levels = level.chars();
        let level = levels.next().filter(char::is_ascii_digit)?;
        let good = levels.next().is_none()
            && (1..=USER_LEN_MAX).contains(&user.len())
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && salt.len() <= 64
            && salt.bytes().all(|byte| byte.is_ascii_hexdigit())
            && (16..=256).contains(&hash.len())
            && hash.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self {
            user: user.to_owned(),
            algorithm,
            level,
            salt: salt.to_owned(),
            hash: Secret::copy_from(hash.as_bytes()),
        })
    }
}

/// Shows a user, never a hash.
impl fmt::Display for UserEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_hash())
    }
}

impl fmt::Debug for UserEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserEntry({self})")
    }
}

fn is_password(password: &str) -> bool {
    (1..=PASSWORD_LEN_MAX).contains(&password.len())
        && password.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

fn sha256(password: &str, salt: &str) -> String {
    let digest = Sha256::new().chain_update(password).chain_update(salt).finalize();
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn scrypt_of(password: &str, [log_n, r, p]: [u8; 3], salt: &[u8]) -> Option<[u8; SCRYPT_OUTPUT_LEN]> {
    if log_n > SCRYPT_LOG_N_MAX || r > SCRYPT_R_MAX || p > SCRYPT_P_MAX {
        return None;
    }
    let params = Params::new(log_n, r.into(), p.into()).ok()?;
    let mut output = [0; SCRYPT_OUTPUT_LEN];
    scrypt::scrypt(password.as_bytes(), salt, &params, &mut output).ok()?;
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str =
        "{{SHA256}}admin:0:a1ad6d9ac906994c:0c218740083eaf596d713ad6b99e423268766c2118066f9f0d9197e87349f8df";
    const JOE: &str = "{{SCRYPT}}joe:0::$rscrypt$0$BAgB$obydlqJDjJRPiLFE6aEDdQ==$6NJayRgRB1P7yA+b7w7m/72UNBo2miypGqWkQz/YH58=$";

    #[test]
    fn recorded_entries_take_their_password_and_no_other() {
        for (line, password) in [(ADMIN, "banana"), (JOE, "apple")] {
            let entry: UserEntry = line.parse().unwrap();
            assert_eq!(entry.line(), line);
            assert!(entry.verify(password));
            assert!(!entry.verify("wrong") && !entry.verify(""));
            assert!(!format!("{entry:?}{entry}").contains(&line[line.len() - 20..]));
        }
    }

    #[test]
    fn made_entries_take_their_password() {
        for algorithm in [Algorithm::Sha256, Algorithm::Scrypt] {
            let made = UserEntry::make("admin", "a b&c", algorithm, &[7; 16]).unwrap();
            let read: UserEntry = made.line().parse().unwrap();
            assert_eq!(read, made);
            assert!(read.verify("a b&c") && !read.verify("a b"));
        }
        assert_eq!(UserEntry::make("a b", "x", Algorithm::Sha256, &[0; 16]), Err(UserError::User));
        assert_eq!(UserEntry::make("ab", "", Algorithm::Sha256, &[0; 16]), Err(UserError::Password));
        assert_eq!("md5".parse::<Algorithm>(), Err(UserError::UnknownAlgorithm("md5".to_owned())));
    }

    #[test]
    fn lines_that_are_no_entries_are_refused() {
        let long = format!("{{{{SHA256}}}}{}:0::{}", "a".repeat(257), "0".repeat(64));
        for line in [
            "",
            "admin:0:1:2",
            "{{MD5}}admin:0:1:00000000000000000",
            "{{SHA256}}admin:x:1:0000000000000000",
            "{{SHA256}}admin:0:zz:0000000000000000",
            "{{SHA256}}ad min:0:1:0000000000000000",
            "{{SHA256}}admin:0:1:00",
            &long,
        ] {
            assert_eq!(line.parse::<UserEntry>(), Err(UserError::Malformed), "{line}");
        }
    }

    #[test]
    fn costly_parameters_are_not_computed() {
        let params = Base64::encode_string(&[40, 8, 1]);
        let line = format!("{{{{SCRYPT}}}}joe:0::$rscrypt$0${params}$AAAA$AAAA$");
        assert!(!line.parse::<UserEntry>().unwrap().verify("apple"));
    }
}
