//! From AMQP 0-9-1.

use leveret_protocol::properties::RawProperties;
use leveret_protocol::table::{elements, entries};

use super::values::{MAP_WIDE, TEXT_WIDE, Write, element_map, element_text};
use super::{TYPE_AMQP_10, annotation, section};
use crate::message::Message;
use crate::message::deaths::{Death, Deaths};

/// The longest header that is taken for a text: RabbitMQ does not look into longer ones.
const TEXT_MAX: usize = 4096;

/// Appends a message to `out`, but for its body, which is to follow.
pub(crate) fn encode(message: &Message, out: &mut Vec<u8>) {
    let properties = message.raw_properties();
    header(message, properties, out);
    out.section(section::MESSAGE_ANNOTATIONS);
    out.map(|out| annotations(message, properties, out));
    basic_properties(properties, out);
    application_properties(properties, out);
    // A message that came from AMQP 1.0 brings its section along.
    if properties.kind() != Some(TYPE_AMQP_10) || !is_section(message.body()) {
        out.section(section::DATA);
        out.push(0xB0);
        out.extend(u32::try_from(message.body_len()).unwrap_or(u32::MAX).to_be_bytes());
    }
}

/// Whether a body is what [`super::decode`] makes of a section that is no data.
fn is_section(body: &[u8]) -> bool {
    matches!(body, [0, 0x53, 0x76 | 0x77, ..])
}

/// The value by which readers can leave a message out: the header `x-stream-filter-value`, if it is
/// a text.
pub(crate) fn filter_value(message: &Message) -> Option<&[u8]> {
    let headers = message.raw_properties().raw_headers()?;
    let (_, entry) = entries(headers).find(|(name, _)| *name == annotation::FILTER_VALUE)?;
    let (kind, value) = kind_and_value(entry)?;
    matches!(kind, b'S').then(|| value.get(4..)).flatten()
}

/// The AMQP type of a table's entry and the octets of its value.
fn kind_and_value(entry: &[u8]) -> Option<(u8, &[u8])> {
    let name = usize::from(*entry.first()?);
    let (kind, value) = entry.get(1 + name..)?.split_first()?;
    Some((*kind, value))
}

fn header(message: &Message, properties: RawProperties<'_>, out: &mut Vec<u8>) {
    out.section(section::HEADER);
    out.list(|out| {
        out.boolean(message.is_persistent());
        let (priority, ttl) = (properties.priority(), time_to_live(message, properties));
        if priority.is_none() && ttl.is_none() {
            return 1;
        }
        match priority {
            Some(priority) => out.ubyte(priority),
            None => out.null(),
        }
        let Some(ttl) = ttl else { return 2 };
        out.uint(ttl);
        3
    });
}

/// The `expiration`; also one that dead-lettering took from the message on its way here.
fn time_to_live(message: &Message, properties: RawProperties<'_>) -> Option<u32> {
    let own = properties.expiration().and_then(|ms| std::str::from_utf8(ms).ok()?.parse().ok());
    let original = || message.deaths()?.all().iter().find_map(|d| d.original_expiration_ms);
    let ms: u64 = own.or_else(original)?;
    Some(u32::try_from(ms).unwrap_or(u32::MAX))
}

fn annotations(message: &Message, properties: RawProperties<'_>, out: &mut Vec<u8>) -> u32 {
    let mut count = 2;
    out.symbol(annotation::EXCHANGE);
    out.text(message.exchange_octets());
    out.symbol(annotation::ROUTING_KEY);
    out.text(message.routing_key_octets());
    let kind = properties.kind().filter(|kind| *kind != TYPE_AMQP_10);
    if let Some(kind) = kind {
        count += 1;
        out.symbol(annotation::TYPE);
        out.text(kind);
    }
    if let Some(deaths) = message.deaths().filter(|deaths| !deaths.all().is_empty()) {
        count += 1;
        out.symbol(annotation::DEATHS);
        encode_deaths(deaths, out);
    }
    for (name, entry) in entries(properties.raw_headers().unwrap_or_default()) {
        let Some((type_code, value)) = kind_and_value(entry) else { continue };
        let is_own = [annotation::EXCHANGE, annotation::ROUTING_KEY].contains(&name)
            || name == annotation::CC
            || name == annotation::X_DEATH
            || name == annotation::DEATHS
            || kind.is_some() && name == annotation::TYPE;
        if name.starts_with(b"x-") && !is_own {
            count += 1;
            out.symbol(name);
            field(type_code, value, out);
        } else if name == b"CC" && type_code == b'A' {
            count += 1;
            out.symbol(annotation::CC);
            field(type_code, value, out);
        }
    }
    count
}

fn encode_deaths(deaths: &Deaths, out: &mut Vec<u8>) {
    out.array(MAP_WIDE, |out| {
        let all = deaths.all();
        all.iter().for_each(|death| element_map(out, |out| encode_death(death, out)));
        u32::try_from(all.len()).unwrap_or(u32::MAX)
    });
}

fn encode_death(death: &Death, out: &mut Vec<u8>) -> u32 {
    let mut count = 7;
    if let Some(ms) = death.original_expiration_ms {
        count += 1;
        out.symbol(b"ttl");
        out.uint(u32::try_from(ms).unwrap_or(u32::MAX));
    }
    out.symbol(b"queue");
    out.text(death.queue.as_str().as_bytes());
    out.symbol(b"reason");
    out.symbol(death.reason.as_str().as_bytes());
    out.symbol(b"count");
    out.ulong(death.count.try_into().unwrap_or(0));
    let at = i64::try_from(death.first_at.as_millis()).unwrap_or(i64::MAX);
    for name in [&b"first-time"[..], b"last-time"] {
        out.symbol(name);
        out.timestamp(at);
    }
    out.symbol(b"exchange");
    out.text(&death.exchange);
    out.symbol(b"routing-keys");
    out.array(TEXT_WIDE, |out| {
        death.routing_keys.iter().for_each(|key| element_text(out, key));
        u32::try_from(death.routing_keys.len()).unwrap_or(u32::MAX)
    });
    count
}

/// Writes a property of the list of properties.
type Property<'a> = Option<Box<dyn FnOnce(&mut Vec<u8>) + 'a>>;

fn basic_properties(properties: RawProperties<'_>, out: &mut Vec<u8>) {
    fn with<'a>(
        value: Option<&'a [u8]>,
        write: impl FnOnce(&mut Vec<u8>, &'a [u8]) + 'a,
    ) -> Property<'a> {
        value.map(|value| Box::new(move |out: &mut Vec<u8>| write(out, value)) as Box<_>)
    }
    let text = |value| with(value, |out, value| out.text(value));
    let symbol = |value| with(value, |out, value| out.symbol(value));
    let created = properties.timestamp().map(|seconds| {
        let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        Box::new(move |out: &mut Vec<u8>| out.timestamp(ms)) as Box<_>
    });
    let mut list: [Property<'_>; 11] = [
        with(properties.message_id(), id),
        with(properties.user_id(), |out, value| out.binary(value)),
        None,
        None,
        text(properties.reply_to()),
        with(properties.correlation_id(), id),
        symbol(properties.content_type()),
        symbol(properties.content_encoding()),
        None,
        created,
        text(properties.app_id()),
    ];
    let Some(last) = list.iter().rposition(Option::is_some) else { return };
    out.section(section::PROPERTIES);
    out.list(|out| {
        for property in list.iter_mut().take(last + 1) {
            match property.take() {
                Some(write) => write(out),
                None => out.null(),
            }
        }
        last as u32 + 1
    });
}

/// A message id or correlation id: `urn:uuid:` stands for an UUID.
fn id(out: &mut Vec<u8>, value: &[u8]) {
    match value.strip_prefix(b"urn:uuid:").and_then(parse_uuid) {
        Some(uuid) => out.uuid(uuid),
        None => out.text(value),
    }
}

fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    if text.len() != 36 || DASHES.iter().any(|at| text.get(*at) != Some(&b'-')) {
        return None;
    }
    let digits: Vec<u8> = text.iter().copied().filter(|octet| *octet != b'-').collect();
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut uuid = [0; 16];
    if pairs.len() != uuid.len() {
        return None;
    }
    for (octet, pair) in uuid.iter_mut().zip(pairs) {
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(uuid)
}

fn application_properties(properties: RawProperties<'_>, out: &mut Vec<u8>) {
    let headers = properties.raw_headers().unwrap_or_default();
    let own = || {
        entries(headers).filter_map(|(name, entry)| {
            let (kind, value) = kind_and_value(entry)?;
            let is_own = !name.starts_with(b"x-") && !matches!(kind, b'A' | b'F');
            is_own.then_some((name, kind, value))
        })
    };
    if own().next().is_none() {
        return;
    }
    out.section(section::APPLICATION_PROPERTIES);
    out.map(|out| {
        let mut count = 0;
        for (name, kind, value) in own() {
            count += 1;
            out.text(name);
            field(kind, value, out);
        }
        count
    });
}

/// The value of a table's entry or of an array's element.
fn field(kind: u8, value: &[u8], out: &mut Vec<u8>) {
    let sized = value.get(4..).unwrap_or_default();
    match kind {
        b't' => out.boolean(value.first().is_some_and(|octet| *octet != 0)),
        b'b' => out.fixed(0x51, value),
        b'B' => out.fixed(0x50, value),
        b's' | b'U' => out.fixed(0x61, value),
        b'u' => out.fixed(0x60, value),
        b'I' => out.fixed(0x71, value),
        b'i' => out.fixed(0x70, value),
        b'L' | b'l' => out.fixed(0x81, value),
        b'f' => out.fixed(0x72, value),
        b'd' => out.fixed(0x82, value),
        b'D' => decimal(value, out),
        b'T' => {
            let seconds = value.first_chunk().map_or(0, |seconds| u64::from_be_bytes(*seconds));
            out.timestamp(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
        }
        b'S' if sized.len() <= TEXT_MAX && !sized.contains(&0) => out.text(sized),
        b'S' | b'x' => out.binary(sized),
        b'A' => out.list(|out| {
            let mut count = 0;
            for (kind, value) in elements(value) {
                count += 1;
                field(kind, value, out);
            }
            count
        }),
        b'F' => out.map(|out| {
            let mut count = 0;
            for (name, entry) in entries(value) {
                if let Some((kind, value)) = kind_and_value(entry) {
                    count += 1;
                    out.symbol(name);
                    field(kind, value, out);
                }
            }
            count
        }),
        _ => out.null(),
    }
}

/// Decimals, for which RabbitMQ has no place, come as doubles.
fn decimal(value: &[u8], out: &mut Vec<u8>) {
    let scale = value.first().copied().unwrap_or(0);
    let digits = value.get(1..).and_then(<[u8]>::first_chunk).map_or(0, |d| i32::from_be_bytes(*d));
    let number = f64::from(digits) / 10_f64.powi(scale.into());
    out.fixed(0x82, &number.to_be_bytes());
}
