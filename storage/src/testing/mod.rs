//! Stores and disks for tests, which fail when they are told to and show what a crash would leave.

mod disk;
mod faulty;
mod machine;

pub use self::disk::{Image, SimulatedDisk};
pub use self::faulty::{FaultyStore, Operation};
pub use self::machine::{Machine, Remains};
