//! The program: arguments, settings, and one room for each subcommand.

pub(crate) mod bench;
mod certificates;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod ctl;
pub(crate) mod data;
pub(crate) mod definitions;
mod doors;
pub(crate) mod explain;
pub(crate) mod help;
pub(crate) mod inspect;
mod links;
pub(crate) mod log_lines;
pub(crate) mod migrate;
pub(crate) mod output;
pub(crate) mod ping;
mod reach;
pub(crate) mod reload;
pub(crate) mod serve;
mod signals;
mod systemd;
pub(crate) mod test;
