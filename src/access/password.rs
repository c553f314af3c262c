//! Salted password hashes in the form that RabbitMQ stores and exports.
//!
//! A hash is base64 of a 4-byte salt followed by the digest of salt and password
//! `[rabbitmq passwords]`. The plain password is never kept.

use std::fmt;
use std::hint::black_box;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

/// Bytes of salt in front of every digest `[rabbitmq passwords]`.
pub(crate) const SALT_BYTES: usize = 4;

/// Random bytes that make equal passwords hash differently.
pub type Salt = [u8; SALT_BYTES];

/// How a password was hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashingAlgorithm {
    /// `rabbit_password_hashing_sha256`, RabbitMQ's default.
    #[default]
    Sha256,
    /// `rabbit_password_hashing_sha512`.
    Sha512,
    /// `rabbit_password_hashing_md5`, of users made by RabbitMQ before 3.6: broken, and only for
    /// hashes that are there already.
    Md5,
}

impl HashingAlgorithm {
    /// The name that RabbitMQ's definitions use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
            Self::Md5 => "rabbit_password_hashing_md5",
        }
    }

    /// Reads the name that RabbitMQ's definitions use.
    ///
    /// # Errors
    /// When the name is not known.
    pub fn from_name(name: &str) -> Result<Self, PasswordHashError> {
        match name {
            "rabbit_password_hashing_sha256" => Ok(Self::Sha256),
            "rabbit_password_hashing_sha512" => Ok(Self::Sha512),
            "rabbit_password_hashing_md5" => Ok(Self::Md5),
            other => Err(PasswordHashError::UnknownAlgorithm(other.to_owned())),
        }
    }

    fn digest(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                Sha256::new().chain_update(salt).chain_update(password).finalize().to_vec()
            }
            Self::Sha512 => {
                Sha512::new().chain_update(salt).chain_update(password).finalize().to_vec()
            }
            Self::Md5 => Md5::new().chain_update(salt).chain_update(password).finalize().to_vec(),
        }
    }

    fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
            Self::Md5 => 16,
        }
    }
}

/// Why a password hash cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// The algorithm's name is not one of RabbitMQ's.
    #[error(
        "unknown password hashing algorithm '{0}', known are rabbit_password_hashing_sha256, \
         rabbit_password_hashing_sha512 and rabbit_password_hashing_md5"
    )]
    UnknownAlgorithm(String),
    /// The text is not base64.
    #[error("the password hash is not valid base64")]
    NotBase64,
    /// The decoded text is shorter than a salt.
    #[error("the password hash has {found} bytes, {} needs {expected}", .algorithm.as_str())]
    WrongLength {
        /// The algorithm that was named.
        algorithm: HashingAlgorithm,
        /// Bytes after decoding.
        found: usize,
        /// Bytes that the algorithm needs, with the salt.
        expected: usize,
    },
    /// The operating system gave no random bytes for a salt.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandomBytes(String),
}

/// A salted hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    algorithm: HashingAlgorithm,
    salt: Salt,
    digest: Vec<u8>,
}

impl PasswordHash {
    /// Hashes `password` with SHA-256, RabbitMQ's default.
    pub fn new(password: impl AsRef<[u8]>, salt: Salt) -> Self {
        Self::with_algorithm(HashingAlgorithm::Sha256, password, salt)
    }

    /// Hashes `password` with the given algorithm.
    pub fn with_algorithm(
        algorithm: HashingAlgorithm,
        password: impl AsRef<[u8]>,
        salt: Salt,
    ) -> Self {
        Self { algorithm, salt, digest: algorithm.digest(&salt, password.as_ref()) }
    }

    /// Four bytes from the operating system for [`PasswordHash::new`].
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn random_salt() -> Result<Salt, PasswordHashError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)
            .map_err(|error| PasswordHashError::NoRandomBytes(error.to_string()))?;
        Ok(salt)
    }

    /// Reads `password_hash` of RabbitMQ's definitions. As there, a digest may have another length
    /// than its algorithm makes: no password has that hash.
    ///
    /// # Errors
    /// When the text is not base64, or is shorter than a salt.
    pub fn from_base64(algorithm: HashingAlgorithm, text: &str) -> Result<Self, PasswordHashError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| PasswordHashError::NotBase64)?;
        let too_short = || PasswordHashError::WrongLength {
            algorithm,
            found: bytes.len(),
            expected: SALT_BYTES + algorithm.digest_bytes(),
        };
        let (salt, digest) = bytes.split_first_chunk::<SALT_BYTES>().ok_or_else(too_short)?;
        Ok(Self { algorithm, salt: *salt, digest: digest.to_vec() })
    }

    /// Prints the hash as `password_hash` of RabbitMQ's definitions.
    pub fn to_base64(&self) -> String {
        let mut bytes = self.salt.to_vec();
        bytes.extend_from_slice(&self.digest);
        BASE64_STANDARD.encode(bytes)
    }

    /// How the password was hashed.
    pub fn algorithm(&self) -> HashingAlgorithm {
        self.algorithm
    }

    /// Whether `password` is the one that was hashed. Takes the same time wherever the digests
    /// differ.
    pub fn verify(&self, password: impl AsRef<[u8]>) -> bool {
        equal_in_constant_time(&self.algorithm.digest(&self.salt, password.as_ref()), &self.digest)
    }
}

/// Shows the algorithm only: a hash in a log is a hash that somebody may attack.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |bits, (x, y)| black_box(bits | (x ^ y)));
    a.len() == b.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Exported by RabbitMQ 4.0 for the password `guest`.
    const GUEST: &str = "AQIDBEMMOXwY6PKx/JKP9PAqfsb4ozuD0Ta3pxxa9gEYBMmD";

    #[test]
    fn hashes_as_rabbitmq_does() {
        assert_eq!(PasswordHash::new("guest", [1, 2, 3, 4]).to_base64(), GUEST);
        let hash = PasswordHash::from_base64(HashingAlgorithm::Sha256, GUEST).unwrap();
        assert!(hash.verify("guest"));
        assert!(!hash.verify("Guest"));
        assert!(!hash.verify(""));
    }

    #[test]
    fn debug_output_keeps_the_hash_secret() {
        let text = format!("{:?}", PasswordHash::new("guest", [1, 2, 3, 4]));
        assert_eq!(text, "PasswordHash { algorithm: Sha256, .. }");
    }

    #[test]
    fn hashes_of_old_users_are_taken() {
        let hash = PasswordHash::from_base64(HashingAlgorithm::Md5, "IECV6PZI/Invh0DL187KFpkO5Jc=");
        assert!(hash.unwrap().verify("guest"));
        let name = HashingAlgorithm::Md5.as_str();
        assert_eq!(HashingAlgorithm::from_name(name), Ok(HashingAlgorithm::Md5));
    }

    #[test]
    fn malformed_hashes_are_refused() {
        let sha256 = HashingAlgorithm::Sha256;
        assert_eq!(PasswordHash::from_base64(sha256, "%%"), Err(PasswordHashError::NotBase64));
        let short = PasswordHash::from_base64(sha256, "AQID").unwrap_err();
        assert_eq!(
            short.to_string(),
            "the password hash has 3 bytes, rabbit_password_hashing_sha256 needs 36"
        );
    }

    #[test]
    fn nobody_has_the_password_of_a_digest_of_another_length() {
        for algorithm in [HashingAlgorithm::Sha512, HashingAlgorithm::Md5] {
            let hash = PasswordHash::from_base64(algorithm, GUEST).unwrap();
            assert_eq!(hash.to_base64(), GUEST);
            assert!(!hash.verify("guest"));
        }
        let salt_alone = PasswordHash::from_base64(HashingAlgorithm::Sha256, "AQIDBA==").unwrap();
        assert!(!salt_alone.verify(""));
    }

    #[test]
    fn random_salts_differ() {
        let salts: Vec<_> = (0..8).map(|_| PasswordHash::random_salt().unwrap()).collect();
        assert!(salts.iter().any(|salt| *salt != salts[0]));
    }

    proptest! {
        #[test]
        fn verifies_only_what_was_hashed(
            password: Vec<u8>, other: Vec<u8>, salt: [u8; 4], long: bool,
        ) {
            let algorithm =
                if long { HashingAlgorithm::Sha512 } else { HashingAlgorithm::Sha256 };
            let hash = PasswordHash::with_algorithm(algorithm, &password, salt);
            prop_assert!(hash.verify(&password));
            prop_assert_eq!(hash.verify(&other), password == other);
            let read = PasswordHash::from_base64(algorithm, &hash.to_base64());
            prop_assert_eq!(read, Ok(hash));
        }

        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = PasswordHash::from_base64(HashingAlgorithm::Sha256, &text);
        }
    }
}
