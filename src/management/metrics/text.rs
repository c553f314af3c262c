//! Families of metrics in Prometheus' text format, which the crate `prometheus` writes.

use hyper::body::Bytes;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

/// What kind of figure a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One that only rises.
    Counter,
    /// One that goes up and down.
    Gauge,
    /// One of which RabbitMQ does not say it.
    Untyped,
}

/// A family of metrics that are told of objects of some sort.
pub(crate) struct Column<T> {
    /// Its name, without what all names begin with.
    pub name: &'static str,
    pub kind: Kind,
    /// What it is, for people.
    pub help: &'static str,
    /// The figure of one object; not a number if it has none.
    pub value: fn(&T) -> f64,
}

/// Families that are asked for together.
pub(crate) struct Group<T: 'static> {
    /// What RabbitMQ calls them, in the parameter `family`.
    pub name: &'static str,
    pub columns: &'static [Column<T>],
}

macro_rules! kinds {
    ($($name:ident $kind:ident,)*) => {
        $(pub(crate) const fn $name<T>(
            name: &'static str,
            help: &'static str,
            value: fn(&T) -> f64,
        ) -> Column<T> {
            Column { name, kind: Kind::$kind, help, value }
        })*
    };
}

kinds! {
    counter Counter,
    gauge Gauge,
    untyped Untyped,
}

/// Objects of one sort, each with its labels, whose families are written one by one.
pub(super) struct Table<T: 'static> {
    prefix: &'static str,
    columns: Vec<&'static Column<T>>,
    /// With the labels; the figures are put in for each family.
    metrics: Vec<Metric>,
    objects: Vec<T>,
}

impl<T> Table<T> {
    /// Nothing yet. Names begin with `prefix`.
    pub(super) fn new(
        prefix: &'static str,
        groups: impl IntoIterator<Item = &'static Group<T>>,
    ) -> Self {
        // The last family is written first.
        let mut columns: Vec<_> = groups.into_iter().flat_map(|group| group.columns).collect();
        columns.reverse();
        Self { prefix, columns, metrics: Vec::new(), objects: Vec::new() }
    }

    /// Whether anything is asked for.
    pub(super) fn is_wanted(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Adds an object.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], object: T) {
        let pair = |(name, value): &(&str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        self.metrics.push(Metric::from_label(labels.iter().map(pair).collect()));
        self.objects.push(object);
    }

    /// The sums over all objects instead of the objects.
    pub(super) fn sums(self) -> impl Iterator<Item = Bytes> + Send
    where
        T: Send,
    {
        let Self { prefix, mut columns, objects, .. } = self;
        columns.reverse();
        columns.into_iter().filter_map(move |column| {
            let values = objects.iter().map(column.value).filter(|value| !value.is_nan());
            let mut metrics = vec![Metric::from_label(Vec::new())];
            let written = write(prefix, column, &mut metrics, &[values.sum()]);
            (!written.is_empty()).then_some(written)
        })
    }
}

impl<T> Iterator for Table<T> {
    type Item = Bytes;

    /// The next family that any of the objects has.
    fn next(&mut self) -> Option<Bytes> {
        loop {
            let column = self.columns.pop()?;
            let values: Vec<f64> = self.objects.iter().map(column.value).collect();
            let written = write(self.prefix, column, &mut self.metrics, &values);
            if !written.is_empty() {
                return Some(written);
            }
        }
    }
}

/// Writes a family; the metrics stay.
fn write<T>(prefix: &str, column: &Column<T>, metrics: &mut Vec<Metric>, values: &[f64]) -> Bytes {
    let mut family = MetricFamily::default();
    family.set_name(format!("{prefix}{}", column.name));
    family.set_help(column.help.to_owned());
    family.set_field_type(match column.kind {
        Kind::Counter => MetricType::COUNTER,
        // The encoder knows no untyped ones.
        Kind::Gauge | Kind::Untyped => MetricType::GAUGE,
    });
    let has_all = !values.iter().any(|value| value.is_nan());
    for (metric, value) in metrics.iter_mut().zip(values) {
        set(metric, column.kind, *value);
    }
    if has_all {
        family.set_metric(std::mem::take(metrics));
    } else {
        let known = metrics.iter().zip(values).filter(|(_, value)| !value.is_nan());
        family.set_metric(known.map(|(metric, _)| metric.clone()).collect());
    }
    let mut text = Vec::with_capacity(64 + family.get_metric().len() * 80);
    // Fails for a family without metrics alone, of which nothing is to be written.
    let _ = TextEncoder::new().encode(std::slice::from_ref(&family), &mut text);
    if has_all {
        *metrics = family.take_metric();
    }
    match column.kind {
        Kind::Untyped => retype(&text),
        _ => text.into(),
    }
}

fn set(metric: &mut Metric, kind: Kind, value: f64) {
    if kind == Kind::Counter {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
}

/// The text of a gauge as that of an untyped family.
fn retype(text: &[u8]) -> Bytes {
    let text = String::from_utf8_lossy(text);
    text.replacen(" gauge\n", " untyped\n", 1).into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(f64);

    static THINGS: Group<Thing> = Group {
        name: "things",
        columns: &[
            gauge("weight", "Weight of a thing", |thing| thing.0),
            counter("moved_total", "How often it was moved", |_| 2.0),
            untyped("is_there", "is 1", |_| 1.0),
        ],
    };

    fn table() -> Table<Thing> {
        let mut table = Table::new("t_", [&THINGS]);
        table.add(&[("name", "a\"b\n")], Thing(1.5));
        table.add(&[("name", "none")], Thing(f64::NAN));
        table
    }

    fn text(pieces: impl Iterator<Item = Bytes>) -> String {
        String::from_utf8(pieces.flatten().collect()).unwrap()
    }

    #[test]
    fn families_are_written_one_by_one() {
        let written = text(table());
        let lines: Vec<_> = written.lines().collect();
        assert_eq!(
            lines,
            [
                "# HELP t_weight Weight of a thing",
                "# TYPE t_weight gauge",
                r#"t_weight{name="a\"b\n"} 1.5"#,
                "# HELP t_moved_total How often it was moved",
                "# TYPE t_moved_total counter",
                r#"t_moved_total{name="a\"b\n"} 2"#,
                r#"t_moved_total{name="none"} 2"#,
                "# HELP t_is_there is 1",
                "# TYPE t_is_there untyped",
                r#"t_is_there{name="a\"b\n"} 1"#,
                r#"t_is_there{name="none"} 1"#,
            ]
        );
    }

    #[test]
    fn sums_are_of_those_that_have_the_figure() {
        let written = text(table().sums());
        assert!(written.contains("\nt_weight 1.5\n") && written.contains("\nt_moved_total 4\n"));
    }

    #[test]
    fn nothing_is_written_of_no_objects() {
        assert_eq!(text(Table::new("t_", [&THINGS])), "");
        assert!(!Table::<Thing>::new("t_", []).is_wanted());
    }
}
