//! Bodies of the fuzz targets for the broker and its program. They panic only if something that
//! must always hold does not.

pub mod calls;
pub mod config;
pub mod control;
pub mod definitions;
pub mod http;
pub mod recovery;

// A program cannot be a dependency, so that it is compiled in.
#[allow(dead_code, unnameable_types, unreachable_pub, unused_imports)]
#[path = "../../src/program/mod.rs"]
mod program;
