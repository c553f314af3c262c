//! Values as RabbitMQ prints them in error texts (Erlang's `~tp`).

use std::fmt::Write as _;

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::base::field_value::type_name;

/// A byte string: `<<"text">>`, or its bytes if it is not printable.
pub(crate) fn binary(bytes: &[u8]) -> String {
    let mut out = String::new();
    write_binary(bytes, &mut out);
    out
}

/// A name as an atom: in quotes unless it is letters, digits, `_` and `@` after a small letter.
pub(crate) fn atom(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@');
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let mut out = String::from("'");
    for c in name.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '"' => out.push('"'),
            c => write_char(c, &mut out),
        }
    }
    out.push('\'');
    out
}

/// A field value.
pub(crate) fn value(value: &AMQPValue) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_binary(bytes: &[u8], out: &mut String) {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(is_printable));
    match text {
        Some("") => out.push_str("<<>>"),
        Some(text) => {
            out.push_str("<<\"");
            text.chars().for_each(|c| write_char(c, out));
            out.push_str(if text.is_ascii() { "\">>" } else { "\"/utf8>>" });
        }
        None => {
            out.push_str("<<");
            write_list(bytes, out, |byte, out| push(out, format_args!("{byte}")));
            out.push_str(">>");
        }
    }
}

fn is_printable(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{b}' | '\u{8}' | '\u{c}' | '\u{1b}')
}

fn write_char(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\u{1b}' => out.push_str("\\e"),
        c => out.push(c),
    }
}

fn write_value(value: &AMQPValue, out: &mut String) {
    match value {
        AMQPValue::Boolean(v) => push(out, format_args!("{v}")),
        AMQPValue::ShortShortInt(v) => push(out, format_args!("{v}")),
        AMQPValue::ShortShortUInt(v) => push(out, format_args!("{v}")),
        AMQPValue::ShortInt(v) => push(out, format_args!("{v}")),
        AMQPValue::ShortUInt(v) => push(out, format_args!("{v}")),
        AMQPValue::LongInt(v) => push(out, format_args!("{v}")),
        AMQPValue::LongUInt(v) => push(out, format_args!("{v}")),
        AMQPValue::LongLongInt(v) => push(out, format_args!("{v}")),
        AMQPValue::Timestamp(v) => push(out, format_args!("{v}")),
        AMQPValue::Float(v) => write_float(f64::from(*v), out),
        AMQPValue::Double(v) => write_float(*v, out),
        AMQPValue::DecimalValue(v) => push(out, format_args!("{{{},{}}}", v.scale, v.value)),
        AMQPValue::ShortString(v) => write_binary(v.as_str().as_bytes(), out),
        AMQPValue::LongString(v) => write_binary(v.as_bytes(), out),
        AMQPValue::ByteArray(v) => write_binary(v.as_slice(), out),
        AMQPValue::FieldArray(v) => {
            out.push('[');
            write_list(v.as_slice(), out, |item, out| {
                push(out, format_args!("{{{},", type_name(item)));
                write_value(item, out);
                out.push('}');
            });
            out.push(']');
        }
        AMQPValue::FieldTable(v) => write_table(v, out),
        AMQPValue::Void => out.push_str("undefined"),
    }
}

fn write_table(table: &FieldTable, out: &mut String) {
    out.push('[');
    write_list(table, out, |(name, item), out| {
        out.push('{');
        write_binary(name.as_str().as_bytes(), out);
        push(out, format_args!(",{},", type_name(item)));
        write_value(item, out);
        out.push('}');
    });
    out.push(']');
}

fn write_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    write: impl Fn(T, &mut String),
) {
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write(item, out);
    }
}

fn write_float(value: f64, out: &mut String) {
    let text = format!("{value:?}");
    match text.split_once('e') {
        // Erlang always writes a fraction, Rust leaves it out before an exponent.
        Some((mantissa, exponent)) if !mantissa.contains('.') => {
            push(out, format_args!("{mantissa}.0e{exponent}"));
        }
        _ => out.push_str(&text),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a `String` cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_erlang() {
        assert_eq!(binary(b"heavy"), r#"<<"heavy">>"#);
        assert_eq!(binary(b""), "<<>>");
        assert_eq!(binary(b"a\"b\\\n"), r#"<<"a\"b\\\n">>"#);
        assert_eq!(binary("\u{e9}".as_bytes()), "<<\"\u{e9}\"/utf8>>");
        assert_eq!(binary(&[0, 255]), "<<0,255>>");
        assert_eq!(atom("rabbit@host_1"), "rabbit@host_1");
        assert_eq!(atom("rabbit@my-host"), "'rabbit@my-host'");
        assert_eq!(atom("a'b\"c"), r#"'a\'b"c'"#);
        assert_eq!(value(&AMQPValue::Double(1.0)), "1.0");
        assert_eq!(value(&AMQPValue::Double(1e20)), "1.0e20");
        assert_eq!(value(&AMQPValue::Void), "undefined");
        let mut table = FieldTable::default();
        table.insert("a".into(), AMQPValue::LongInt(1));
        table.insert("b".into(), AMQPValue::FieldArray(vec![AMQPValue::Boolean(true)].into()));
        assert_eq!(
            value(&AMQPValue::FieldTable(table)),
            r#"[{<<"a">>,signedint,1},{<<"b">>,array,[{bool,true}]}]"#
        );
    }
}
