//! What is on the screen: lines for its width and height, from what was seen.

use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::asking::Seen;
use super::columns::{Column, Kind, What};
use super::view::{View, value};

/// Lines above and below the rows.
pub(super) const OTHER_LINES: usize = 5;

/// Columns of a name, at most, if the screen is wide enough for more.
const NAME_MAX: usize = 60;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Bold,
    /// The heads of the columns.
    Head,
    /// Something is wrong.
    Alarm,
    Dim,
}

/// A line of the screen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub look: Look,
    pub text: String,
}

fn line(look: Look, text: impl Into<String>) -> Line {
    Line { look, text: text.into() }
}

/// All lines.
pub(super) fn draw(
    view: &View,
    seen: &Seen,
    trouble: Option<&str>,
    (width, height): (usize, usize),
) -> Vec<Line> {
    let mut lines = vec![line(Look::Bold, title(seen)), line(Look::Plain, totals(seen))];
    lines.push(match trouble.map(str::to_owned).or_else(|| alarms(seen)) {
        Some(trouble) => line(Look::Alarm, trouble),
        None => line(Look::Dim, place(view, seen)),
    });
    let columns = view.what.columns();
    let rows: Vec<Vec<String>> = seen.rows.iter().map(|row| cells(columns, row)).collect();
    let widths = widths(columns, &rows, view, width);
    let heads: Vec<_> =
        columns.iter().enumerate().map(|(at, column)| head(column, at, view)).collect();
    lines.push(line(Look::Head, joined(&heads, columns, &widths)));
    let room = height.saturating_sub(OTHER_LINES);
    lines
        .extend(rows.iter().take(room).map(|row| line(Look::Plain, joined(row, columns, &widths))));
    if rows.is_empty() && trouble.is_none() {
        lines.push(line(Look::Dim, "There is nothing to show."));
    }
    lines.resize_with(height.saturating_sub(1).max(lines.len()), || line(Look::Plain, ""));
    lines.push(line(Look::Dim, help(view)));
    for line in &mut lines {
        line.text = cut(&line.text, width);
    }
    lines.truncate(height);
    lines
}

fn title(seen: &Seen) -> String {
    let text = |name: &str| seen.overview.get(name).and_then(Value::as_str).unwrap_or("-");
    let count = |name: &str| number(value(&seen.overview, &format!("object_totals.{name}")));
    format!(
        "{} {}   connections {}  channels {}  queues {}  consumers {}",
        text("product_name"),
        text("node"),
        count("connections"),
        count("channels"),
        count("queues"),
        count("consumers"),
    )
}

fn totals(seen: &Seen) -> String {
    let of = |field: &str| value(&seen.overview, field);
    let mut text = format!(
        "messages {} ready, {} unacked   in {}/s  out {}/s  acked {}/s",
        number(of("queue_totals.messages_ready")),
        number(of("queue_totals.messages_unacknowledged")),
        rate(of("message_stats.publish_details.rate")),
        rate(of("message_stats.deliver_get_details.rate")),
        rate(of("message_stats.ack_details.rate")),
    );
    if let Some(used) = seen.node.get("mem_used").and_then(Value::as_f64) {
        let free = value(&seen.node, "disk_free").as_f64().unwrap_or_default();
        text.push_str(&format!("   memory {}  disk free {}", octets(used), octets(free)));
    }
    text
}

/// What holds publishers back.
fn alarms(seen: &Seen) -> Option<String> {
    let is_on = |name: &str| seen.node.get(name).and_then(Value::as_bool) == Some(true);
    let alarms = [("mem_alarm", "memory is short"), ("disk_free_alarm", "the disk is full")];
    let on: Vec<_> = alarms.iter().filter(|(name, _)| is_on(name)).map(|(_, text)| *text).collect();
    (!on.is_empty()).then(|| format!("ALARM: {}; publishers are blocked", on.join(", ")))
}

/// Which rows these are.
fn place(view: &View, seen: &Seen) -> String {
    let what = if view.what == What::Queues { "queues" } else { "connections" };
    let last = view.first + seen.rows.len();
    let first = if seen.rows.is_empty() { last } else { view.first + 1 };
    let mut text = format!("{what} {first} to {last} of {}", seen.count);
    if !view.filter.is_empty() {
        text.push_str(&format!(" with \"{}\" in their names", view.filter));
    }
    if view.is_paused {
        text.push_str("   paused");
    }
    text
}

fn help(view: &View) -> String {
    match view.is_typing {
        true => format!("/{}_   Enter: keep   Esc: all", view.filter),
        false => "Tab: other list   left, right: sort by   r: turn round   /: find   p: pause   \
                  q: quit"
            .to_owned(),
    }
}

fn head(column: &Column, at: usize, view: &View) -> String {
    let is_down = (column.kind == Kind::Text) == view.is_reversed;
    let sign = match (at == view.order, is_down) {
        (false, _) => "",
        (true, true) => "v",
        (true, false) => "^",
    };
    format!("{}{sign}", column.name.to_uppercase())
}

fn cells(columns: &[Column], row: &Value) -> Vec<String> {
    let cell = |column: &Column| match (column.kind, value(row, column.field)) {
        (Kind::Text, found) => plain(found.as_str().unwrap_or_default()),
        (Kind::Count, found) => number(found),
        (Kind::Rate, found) => rate(found),
        (Kind::Octets, found) => octets(found.as_f64().unwrap_or_default()),
    };
    columns.iter().map(cell).collect()
}

/// Without what a terminal would obey.
fn plain(text: &str) -> String {
    let is_bad = |sign: char| sign.is_control() || ('\u{202a}'..='\u{202e}').contains(&sign);
    text.chars().map(|sign| if is_bad(sign) { '\u{fffd}' } else { sign }).collect()
}

/// With commas between thousands.
fn number(value: &Value) -> String {
    let digits = value.as_u64().unwrap_or_default().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn rate(value: &Value) -> String {
    let rate = value.as_f64().unwrap_or_default();
    if rate > 0.0 && rate < 10.0 { format!("{rate:.1}") } else { number(&whole(rate)) }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is cut on purpose")]
fn whole(number: f64) -> Value {
    (number.max(0.0).round() as u64).into()
}

fn octets(count: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB"];
    let at = units.iter().enumerate().skip(1);
    let large = at.take_while(|(at, _)| count >= 1024_f64.powi(i32::try_from(*at).unwrap_or(0)));
    match large.last() {
        None => format!("{} B", number(&whole(count))),
        Some((at, unit)) => {
            format!("{:.1} {unit}", count / 1024_f64.powi(i32::try_from(at).unwrap_or(0)))
        }
    }
}

/// So wide that all is seen; names give way where there is no room.
fn widths(columns: &[Column], rows: &[Vec<String>], view: &View, width: usize) -> Vec<usize> {
    let widest = |at: usize, column: &Column| {
        let texts = rows.iter().filter_map(|row| row.get(at)).map(|text| text.width());
        texts.chain([head(column, at, view).width()]).max().unwrap_or_default()
    };
    let wanted = columns.iter().enumerate().map(|(at, column)| widest(at, column));
    let mut widths: Vec<_> = wanted.map(|wanted| wanted.min(NAME_MAX)).collect();
    let mut over = (widths.iter().sum::<usize>() + 2 * columns.len()).saturating_sub(width);
    while over > 0 {
        let texts = columns.iter().enumerate().filter(|(_, column)| column.kind == Kind::Text);
        let longest = texts.map(|(at, _)| at).max_by_key(|at| widths[*at]).unwrap_or_default();
        if widths[longest] <= 4 {
            break;
        }
        widths[longest] -= 1;
        over -= 1;
    }
    widths
}

fn joined(cells: &[String], columns: &[Column], widths: &[usize]) -> String {
    let parts = cells.iter().zip(columns).zip(widths).map(|((cell, column), width)| {
        let cell = cut(cell, *width);
        let blank = " ".repeat(width.saturating_sub(cell.width()));
        if column.kind == Kind::Text { cell + &blank } else { blank + &cell }
    });
    parts.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// As much of a text as has room.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut cut, mut taken) = (String::new(), 1);
    for sign in text.chars() {
        taken += sign.width().unwrap_or(0);
        if taken > width {
            break;
        }
        cut.push(sign);
    }
    if width > 0 { cut + "…" } else { cut }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen() -> Seen {
        let queue = |name: &str, ready: u64, rate: f64| {
            json!({"name": name, "vhost": "/", "type": "classic", "messages_ready": ready,
                "message_stats": {"publish_details": {"rate": rate}}})
        };
        Seen {
            what: What::Queues,
            overview: json!({"product_name": "leveret", "node": "rabbit@here",
                "object_totals": {"queues": 12345}}),
            node: json!({"mem_used": 3 << 20, "disk_free": 5_u64 << 30, "mem_alarm": false}),
            rows: vec![queue("orders", 1234, 2.5), queue("名前\u{1b}[31m", 1, 1234.4)],
            count: 2,
        }
    }

    fn drawn(seen: &Seen, width: usize) -> Vec<String> {
        let view = View::new(What::Queues, None, "").unwrap_or_else(|_| panic!());
        let lines = draw(&view, seen, None, (width, 8));
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn rows_are_in_columns_whatever_is_in_their_names() {
        let lines = drawn(&seen(), 120);
        assert_eq!(lines.len(), 8);
        assert!(lines[0].starts_with("leveret rabbit@here   connections 0"), "{lines:?}");
        assert!(lines[0].contains("queues 12,345") && lines[1].contains("memory 3.0 MiB"));
        assert_eq!(lines[2], "queues 1 to 2 of 2");
        assert!(lines[3].contains("IN/Sv"), "{lines:?}");
        assert!(lines[4].starts_with("orders     /"), "{lines:?}");
        assert!(lines[4].contains("1,234") && lines[4].contains("2.5"), "{lines:?}");
        assert!(lines[5].starts_with("名前\u{fffd}[31m  /"), "{lines:?}");
        assert!(lines[5].contains("1,234"), "{lines:?}");
    }

    #[test]
    fn nothing_is_wider_than_the_screen() {
        for width in [0, 1, 10, 40, 66, 200] {
            let lines = drawn(&seen(), width);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
        }
    }

    #[test]
    fn alarms_are_told() {
        let mut short = seen();
        short.node["mem_alarm"] = true.into();
        assert_eq!(drawn(&short, 80)[2], "ALARM: memory is short; publishers are blocked");
    }
}
