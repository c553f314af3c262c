//! Where settings come from: flags, then the environment, then the configuration file.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::{Args, Command, FromArgMatches};

use super::error::ConfigError;
use super::settings::Settings;

/// Most bytes of a configuration file that are read; real ones have a few hundred.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Fills in what `flags` leave open from the environment and from the configuration file that
/// either of them names.
pub(super) fn layered(flags: Settings, env: Environment<'_>) -> Result<Settings, ConfigError> {
    let above = flags.over(from_environment(env)?);
    match above.config.clone() {
        Some(path) => Ok(above.over(from_file(&path)?)),
        None => Ok(above),
    }
}

/// Reads `LEVERET_*` variables, and those of RabbitMQ's container image where they name a setting.
/// A value is read as its flag would be; an empty one counts as absent.
fn from_environment(env: Environment<'_>) -> Result<Settings, ConfigError> {
    let command = || Settings::augment_args(Command::new("leveret").no_binary_name(true));
    let mut settings = Settings::default();
    for flag in command().get_arguments().filter_map(|argument| argument.get_long()) {
        for variable in variables(flag) {
            let Some(value) = env(&variable).filter(|value| !value.is_empty()) else { continue };
            let mut argument = OsString::from(format!("--{flag}="));
            argument.push(value);
            let read = command()
                .try_get_matches_from([argument.as_os_str()])
                .and_then(|matches| Settings::from_arg_matches(&matches))
                .map_err(|error| ConfigError::Environment { variable, reason: reason(&error) })?;
            settings = settings.over(read);
        }
    }
    Ok(settings)
}

/// The variables that stand for a flag, the first one counts.
fn variables(flag: &str) -> Vec<String> {
    let name = flag.replace('-', "_").to_uppercase();
    let mut variables = vec![format!("LEVERET_{name}")];
    if name.starts_with("DEFAULT_") {
        variables.push(format!("RABBITMQ_{name}"));
    }
    variables
}

/// The last part of clap's first line is what the value's parser said.
fn reason(error: &clap::Error) -> String {
    use std::error::Error as _;
    if let Some(source) = error.source() {
        return source.to_string();
    }
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn from_file(path: &Path) -> Result<Settings, ConfigError> {
    let unreadable = |error: std::io::Error| ConfigError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let reason = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(ConfigError::Unreadable { path: path.to_owned(), reason });
    }
    from_toml(&text, path.as_os_str())
}

fn from_toml(text: &str, path: &OsStr) -> Result<Settings, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        ConfigError::File {
            path: path.into(),
            line: before.matches('\n').count() + 1,
            reason: error.message().replace('\n', ", "),
        }
    })
}
