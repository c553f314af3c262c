//! Where settings come from: flags, then the environment, then the configuration file.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::num::ParseIntError;
use std::path::Path;

use clap::{Args, Command, FromArgMatches};
use leveret::internals::did_you_mean;

use super::error::ConfigError;
use super::settings::Settings;

/// Most bytes of a configuration file that are read; real ones have a few hundred.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most characters of a line that are shown.
const LINE_CHARS_SHOWN: usize = 80;

/// Looks up an environment variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

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
    let mut settings = Settings::default();
    for flag in flags() {
        for variable in variables(&flag) {
            let Some(value) = env(&variable).filter(|value| !value.is_empty()) else { continue };
            let mut argument = OsString::from(format!("--{flag}="));
            argument.push(&value);
            let bad = |error| ConfigError::Environment { variable, reason: reason(&error, &value) };
            let read = command()
                .try_get_matches_from([argument.as_os_str()])
                .and_then(|matches| Settings::from_arg_matches(&matches))
                .map_err(bad)?;
            settings = settings.over(read);
        }
    }
    Ok(settings)
}

/// All flags.
pub(super) fn command() -> Command {
    Settings::augment_args(Command::new("leveret").no_binary_name(true))
}

/// The names of all flags.
pub(super) fn flags() -> Vec<String> {
    command().get_arguments().filter_map(|flag| flag.get_long().map(str::to_owned)).collect()
}

/// The variables that stand for a flag, the first one counts.
pub(super) fn variables(flag: &str) -> Vec<String> {
    let name = flag.replace('-', "_").to_uppercase();
    let mut variables = vec![format!("LEVERET_{name}")];
    if name == "RABBITMQ_CONF" {
        variables.push("RABBITMQ_CONFIG_FILE".to_owned());
    }
    if name.starts_with("DEFAULT_") {
        variables.push(format!("RABBITMQ_{name}"));
    }
    variables
}

/// What the value's parser said, in a sentence about the value.
pub(super) fn reason(error: &clap::Error, value: &OsStr) -> String {
    use std::error::Error as _;
    let value = value.to_string_lossy();
    match error.source() {
        Some(source) if source.is::<ParseIntError>() => {
            format!("'{value}' is not a whole number that can be set here")
        }
        Some(source) => source.to_string(),
        None if error.kind() == clap::error::ErrorKind::InvalidValue => {
            format!("'{value}' is neither true nor false")
        }
        None => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}

fn from_file(path: &Path) -> Result<Settings, ConfigError> {
    from_toml(&read_text(path)?, path.as_os_str())
}

/// The text of a configuration file.
pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
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
    Ok(text)
}

fn from_toml(text: &str, path: &OsStr) -> Result<Settings, ConfigError> {
    let line = |error: &toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        before.matches('\n').count() + 1
    };
    let refused = |line, mut reason: String| {
        if Path::new(path).extension().is_some_and(|ending| ending == "conf") {
            reason.push_str("; a rabbitmq.conf is given with --rabbitmq-conf");
        }
        ConfigError::File { path: path.into(), line, reason }
    };
    let document = toml::Deserializer::parse(text).map_err(|error| {
        let line = line(&error);
        refused(line, no_toml(text.lines().nth(line - 1).unwrap_or_default(), error.message()))
    })?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let setting = error.path().to_string();
        refused(line(error.inner()), in_words(&setting, error.inner().message()))
    })
}

/// What to do about a line that is no TOML, with what the parser says of it.
fn no_toml(line: &str, message: &str) -> String {
    let message = message.replace('\n', ", ");
    let line: String = line.trim().chars().take(LINE_CHARS_SHOWN).collect();
    format!(
        "'{line}' is not TOML ({message}): write NAME = VALUE, a text as \"text\", a list as \
         [\"one\", \"two\"]"
    )
}

/// What serde says of a setting, in the words of the settings.
fn in_words(setting: &str, message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (unknown, rest) = rest.split_once('`').unwrap_or((rest, ""));
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let meant = did_you_mean(unknown, known.into_iter());
        return format!("there is no setting '{unknown}'{meant}");
    }
    let message = message
        .replace("invalid type: ", "it is ")
        .replace("invalid value: ", "it is ")
        .replace("it is string", "it is the text")
        .replace("it is integer", "it is the number")
        .replace("it is floating point", "it is the number")
        .replace("it is boolean", "it is")
        .replace("expected a sequence", "and has to be a list such as [\"...\"]")
        .replace("expected a boolean", "and has to be true or false")
        .replace("expected a string", "and has to be a text in quotation marks")
        .replace("expected usize", "and has to be a whole number")
        .replace("expected u16", "and has to be a whole number up to 65535")
        .replace("expected u64", "and has to be a whole number")
        .replace("expected path string", "and has to be a path in quotation marks")
        .replace('\n', ", ");
    if setting == "." { message } else { format!("{setting}: {message}") }
}
