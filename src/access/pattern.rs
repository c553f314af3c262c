//! Regular expressions of permissions, topic permissions and policies.
//!
//! RabbitMQ's are those of PCRE. Most are compiled to automata, which take time in proportion to
//! the name. What automata cannot do, look-around and back-references above all, is done by trying;
//! how often is bounded.

use std::fmt;

use fancy_regex::BytesMode;
use regex::bytes::{Regex, RegexBuilder};

/// Most bytes that one compiled pattern may take. Ordinary patterns take a few KiB; counted
/// repetitions such as `(a{1000}){1000}` would take gigabytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Most instructions of a pattern that is tried out. Ordinary ones have some dozens.
const INSTRUCTIONS_MAX: usize = 10_000;

/// How often a pattern may step back while one name is tried, which takes some milliseconds at
/// most. Ordinary patterns step back less than a thousand times for the longest name.
const STEPS_BACK_MAX: usize = 100_000;

/// A pattern that is not a regular expression the broker can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern '{pattern}' is refused: {reason}")]
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
    Automaton(Regex),
    Trying(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// The pattern `.*`, which matches every name.
    pub fn anything() -> Self {
        Self { source: Box::from(".*"), matcher: Matcher::Anything }
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// When it is not a regular expression, or compiles to more than a mebibyte.
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
            _ => compile(expanded)
                .map_err(|reason| PatternError { pattern: source.to_owned(), reason })?,
        };
        Ok(Self { source: Box::from(source), matcher })
    }

    /// Whether the pattern occurs in `name`. One that steps back too often does not, as with
    /// RabbitMQ.
    pub fn matches(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        match &self.matcher {
            Matcher::Anything => true,
            Matcher::OnlyEmpty => name.is_empty(),
            Matcher::Automaton(regex) => regex.is_match(name),
            Matcher::Trying(regex) => regex.is_match(name).unwrap_or_else(|error| {
                let name = String::from_utf8_lossy(name);
                tracing::warn!("pattern '{}' takes too long for '{name}': {error}", self.source);
                false
            }),
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
fn compile(pattern: &str) -> Result<Matcher, String> {
    let automaton = RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build();
    let error = match automaton {
        Ok(regex) => return Ok(Matcher::Automaton(regex)),
        Err(error @ regex::Error::CompiledTooBig(_)) => return Err(reason(&error)),
        Err(error) => error,
    };
    let trying = fancy_regex::RegexBuilder::new(pattern)
        .bytes_mode(BytesMode::Ascii)
        .delegate_size_limit(COMPILED_BYTES_MAX)
        .delegate_dfa_size_limit(COMPILED_BYTES_MAX)
        .delegate_dfa_skip_cache_capacity_check(false)
        .max_prog_size(INSTRUCTIONS_MAX)
        .backtrack_limit(STEPS_BACK_MAX)
        .build();
    match trying {
        Ok(regex) => Ok(Matcher::Trying(Box::new(regex))),
        // Of two complaints, that of who can do more counts, if it is not about what both cannot.
        Err(fancy_regex::Error::CompileError(error)) => Err(error.to_string()),
        Err(_) => Err(reason(&error)),
    }
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
    fn patterns_look_around_and_back() {
        for (pattern, hits, misses) in [
            ("^(?!amq\\.).*", "shop", "amq.direct"),
            ("^((?!test).)*$", "production", "a-test-queue"),
            ("(?<!-)conf$", "shop.conf", "shop-conf"),
            ("(?<=shop|store)-1", "store-1", "place-1"),
            ("^(\\w+)-\\1$", "a-a", "a-b"),
            ("^(?>a+)b", "aab", "aac"),
            ("^(?i)SHOP(?=\\.)", "shop.x", "shop"),
            // Bytes, not characters.
            ("^(?!x)..$", "é", "e"),
            ("^(?!x)\\w+$", "e", "é"),
            // Braces that count nothing are themselves.
            ("^{user}$", "{user}", "user"),
        ] {
            assert!(matches(pattern, hits), "{pattern} for {hits}");
            assert!(!matches(pattern, misses), "{pattern} for {misses}");
        }
        assert!(Pattern::new("^(?!x)").unwrap().matches(b"\xff\x80"));
    }

    #[test]
    fn who_steps_back_for_ever_does_not_match() {
        let pattern = Pattern::new("^(([a-z])+.)+[A-Z]([a-z])+$(?!q)").unwrap();
        assert!(!pattern.matches("a".repeat(255)));
        assert!(pattern.matches("aaa-Bc"));
    }

    #[test]
    fn errors_are_one_clear_sentence() {
        assert_eq!(
            Pattern::new("(").unwrap_err().to_string(),
            "pattern '(' is refused: unclosed group"
        );
        assert_eq!(
            Pattern::new("(?!").unwrap_err().to_string(),
            "pattern '(?!' is refused: look-around, including look-ahead and look-behind, is not \
             supported"
        );
    }

    #[test]
    fn a_pattern_that_explodes_is_refused() {
        let error = Pattern::new("((a{100}){100}){100}").unwrap_err();
        assert!(error.reason.contains("size limit"), "{error}");
        for pattern in ["((a{100}){100}){100}(?!x)", "(?<=a{9999}|b*)(?!x)", "((a)(?1){99}){99}"] {
            if let Ok(pattern) = Pattern::new(pattern) {
                let _ = pattern.matches("b".repeat(255));
            }
        }
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
        fn no_pattern_that_looks_around_panics(
            parts in prop::collection::vec(
                prop::sample::select(&[
                    "(", "(?!", "(?=", "(?<!", "(?<=", "(?>", "(?:", ")", "|", "*", "+", "?", "{2}",
                    "{,3}", "{1,}", ".", "^", "$", "a", "b", "\\1", "\\w", "\\b", "[ab]", "[^a]",
                    "(?1)", "(?(1)a|b)", "\\K", "é", "(?P<n>a)", "(?P=n)", "\\Z", "(?i)",
                ][..]),
                0..12,
            ),
            name in "[abé]{0,20}",
        ) {
            if let Ok(pattern) = Pattern::new(&parts.concat()) {
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
