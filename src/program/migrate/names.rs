//! What shovels and exchanges of a migration are called.

use sha2::{Digest, Sha256};

/// What the names of shovels and exchanges begin with.
pub(super) const PREFIX: &str = "leveret-migrate-";

/// Octets that a name may have.
const NAME_MAX: usize = 255;

/// The name of the shovel and the exchange of a queue.
pub(super) fn name_for(queue: &str) -> String {
    let name = format!("{PREFIX}{queue}");
    if name.len() <= NAME_MAX {
        return name;
    }
    let digest = Sha256::digest(queue.as_bytes());
    digest.iter().fold(PREFIX.to_owned(), |name, octet| name + &format!("{octet:02x}"))
}
