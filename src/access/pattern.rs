//! Regular expressions of permissions.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// Most bytes that one compiled pattern may take. Ordinary patterns take a few KiB; counted
/// repetitions such as `(a{1000}){1000}` would take gigabytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// A permission pattern that is not a regular expression the broker can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("permission pattern '{pattern}' is refused: {reason}")]
pub struct PatternError {
    /// The pattern as it was given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A pattern that names are checked against: an unanchored regular expression over bytes, where
/// the empty pattern stands for `^$` and so matches no named resource
/// `[rabbitmq access-control]`.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    matcher: Matcher,
}

#[derive(Clone)]
enum Matcher {
    Anything,
    OnlyEmpty,
    Regex(Regex),
}

impl Pattern {
    /// The pattern `.*`, which matches every name.
    pub fn anything() -> Self {
        Self { source: Box::from(".*"), matcher: Matcher::Anything }
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// When it is not a regular expression, uses look-around or back-references (which need
    /// unbounded time), or compiles to more than a mebibyte.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        Self::compile(source, source)
    }

    /// Compiles a pattern of a topic permission: `{username}` and `{vhost}` stand for the given
    /// names `[rabbitmq topic-authorisation]`. The names are taken literally, so that a name with
    /// a `.` or `*` in it opens nothing.
    ///
    /// # Errors
    /// As for [`Pattern::new`].
    pub fn with_variables(source: &str, user: &str, vhost: &str) -> Result<Self, PatternError> {
        let expanded = source
            .replace("{username}", &regex::escape(user))
            .replace("{vhost}", &regex::escape(vhost));
        Self::compile(source, &expanded)
    }

    fn compile(source: &str, expanded: &str) -> Result<Self, PatternError> {
        let matcher = match expanded {
            "" | "^$" => Matcher::OnlyEmpty,
            ".*" | "^.*" => Matcher::Anything,
            _ => Matcher::Regex(compile(expanded).map_err(|error| PatternError {
                pattern: source.to_owned(),
                reason: reason(&error),
            })?),
        };
        Ok(Self { source: Box::from(source), matcher })
    }

    /// Whether the pattern occurs in `name`.
    pub fn matches(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        match &self.matcher {
            Matcher::Anything => true,
            Matcher::OnlyEmpty => name.is_empty(),
            Matcher::Regex(regex) => regex.is_match(name),
        }
    }

    /// The pattern as it was given, before variables were filled in.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.source)
    }
}

/// Bytes, not characters: RabbitMQ runs its patterns without the `unicode` option.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
}

/// The last line of a syntax error is the sentence; the lines before it draw the pattern.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let sentence = text.lines().last().unwrap_or_default();
    sentence.strip_prefix("error: ").unwrap_or(sentence).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn the_empty_pattern_matches_no_name() {
        assert!(!matches("", "q"));
        assert!(!matches("^$", "q"));
        assert!(matches("", ""));
    }

    #[test]
    fn patterns_are_searched_unanchored() {
        assert!(matches("-conf", "shop-conf-1"));
        assert!(matches("-write|^amq.topic$", "amq.topic"));
        assert!(!matches("-write|^amq.topic$", "amq.topic2"));
        assert!(matches(".*", "anything"));
        assert!(matches("^shop\\.\\d+$", "shop.17"));
        assert!(matches("grün", "x-grün"));
        assert!(matches("(?i)SHOP", "shop"));
    }

    #[test]
    fn errors_are_one_clear_sentence() {
        assert_eq!(
            Pattern::new("^(?!amq)").unwrap_err().to_string(),
            "permission pattern '^(?!amq)' is refused: look-around, including look-ahead and \
             look-behind, is not supported"
        );
        assert_eq!(
            Pattern::new("(").unwrap_err().to_string(),
            "permission pattern '(' is refused: unclosed group"
        );
    }

    #[test]
    fn a_pattern_that_explodes_is_refused() {
        let error = Pattern::new("((a{100}){100}){100}").unwrap_err();
        assert!(error.reason.contains("size limit"), "{error}");
    }

    #[test]
    fn variables_are_filled_in_literally() {
        let pattern = Pattern::with_variables("^{username}-{vhost}\\.", "a.b", "/").unwrap();
        assert!(pattern.matches("a.b-/.k"));
        assert!(!pattern.matches("axb-/.k"));
        assert_eq!(pattern.as_str(), "^{username}-{vhost}\\.");
        let star = Pattern::with_variables("^{username}$", ".*", "/").unwrap();
        assert!(!star.matches("somebody"));
        assert!(star.matches(".*"));
        let alone = Pattern::with_variables("{username}", ".*", "/").unwrap();
        assert!(!alone.matches("somebody"));
    }

    proptest! {
        #[test]
        fn no_pattern_panics(source: String, name: Vec<u8>) {
            if let Ok(pattern) = Pattern::new(&source) {
                let _ = pattern.matches(name);
            }
        }

        #[test]
        fn a_users_own_name_always_fits_its_variable(user in "\\PC{1,20}", other in "\\PC{1,20}") {
            let pattern = Pattern::with_variables("^{username}$", &user, "/").unwrap();
            prop_assert!(pattern.matches(&user));
            prop_assert_eq!(pattern.matches(&other), user == other);
        }
    }
}
