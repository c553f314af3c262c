//! The program: arguments, settings, and one room for each subcommand.

pub mod bench;
mod certificates;
pub mod check;
pub mod config;
pub mod ctl;
pub mod data;
pub mod definitions;
mod doors;
pub mod explain;
pub mod help;
pub mod ping;
mod reach;
pub mod reload;
pub mod serve;
mod signals;
mod systemd;
pub mod test;
