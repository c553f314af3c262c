//! Paths of requests: segments with their percent signs resolved, and patterns that they match.

use percent_encoding::percent_decode_str;

/// A path that cannot be read: a percent sign that is no escape, or octets that are no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The segments of a path. One slash at its end makes no difference.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Malformed> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<String, Malformed> {
    let octets = raw.as_bytes();
    let is_hex = |at: usize| octets.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut escapes = octets.iter().enumerate().filter(|&(_, &octet)| octet == b'%');
    if !escapes.all(|(at, _)| is_hex(at + 1) && is_hex(at + 2)) {
        return Err(Malformed);
    }
    match percent_decode_str(raw).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Malformed),
    }
}

/// What the names in a pattern such as `api/queues/{vhost}/{queue}` stand for in the path; `None`
/// if the path is another. A name stands for one segment that is not empty, but for that of an
/// exchange: the default one has no other.
pub(super) fn matches(
    pattern: &'static str,
    path: &[String],
) -> Option<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    let mut segments = path.iter();
    for part in pattern.split('/') {
        let segment = segments.next()?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) if !segment.is_empty() || is_of_exchange(name) => {
                found.push((name, segment.clone()))
            }
            None if part == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(found)
}

fn is_of_exchange(name: &str) -> bool {
    name == "exchange" || name == "source"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> Vec<String> {
        segments(path).unwrap()
    }

    #[test]
    fn an_escaped_slash_is_part_of_a_name() {
        assert_eq!(path("/api/queues/%2F/a%2fb"), ["api", "queues", "/", "a/b"]);
        assert_eq!(path("/api/queues/%2F/a+b%20c"), ["api", "queues", "/", "a+b c"]);
    }

    #[test]
    fn one_slash_at_the_end_makes_no_difference() {
        assert_eq!(path("/api/whoami/"), path("/api/whoami"));
        assert_eq!(path("/api/vhosts//"), ["api", "vhosts", ""]);
    }

    #[test]
    fn percent_signs_that_are_no_escape_are_refused() {
        for bad in ["/a%", "/a%2", "/%zz", "/%e4"] {
            assert_eq!(segments(bad), Err(Malformed), "{bad}");
        }
    }

    #[test]
    fn the_default_exchange_may_go_without_its_name() {
        let pattern = "api/exchanges/{vhost}/{exchange}/publish";
        let found = matches(pattern, &path("/api/exchanges/%2F//publish")).unwrap();
        assert_eq!(found, [("vhost", "/".to_owned()), ("exchange", String::new())]);
    }

    #[test]
    fn patterns_name_segments_that_are_not_empty() {
        let pattern = "api/queues/{vhost}/{queue}";
        let found = matches(pattern, &path("/api/queues/%2F/q")).unwrap();
        assert_eq!(found, [("vhost", "/".to_owned()), ("queue", "q".to_owned())]);
        for other in ["/api/queues//q", "/api/queues/v", "/api/queues/v/q/r", "/api/vhosts/v/q"] {
            assert_eq!(matches(pattern, &path(other)), None, "{other}");
        }
    }
}
