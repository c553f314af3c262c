//! Values of AMQP 1.0 `[amqp 1.0 types]`.

/// How deep lists, maps and arrays are looked into.
pub(super) const DEPTH_MAX: usize = 32;

/// A value that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Boolean(bool),
    UByte(u8),
    UShort(u16),
    UInt(u32),
    ULong(u64),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(u32),
    Double(u64),
    Char(u32),
    Timestamp(i64),
    Uuid([u8; 16]),
    Binary(&'a [u8]),
    Utf8(&'a [u8]),
    Symbol(&'a [u8]),
    List(Items<'a>),
    Map(Items<'a>),
    Array(Items<'a>),
    /// Something that is passed over.
    Other,
}

/// Values behind each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Items<'a> {
    octets: &'a [u8],
    left: u32,
    /// Of an array: what all its elements are.
    code: Option<u8>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        match self.code {
            Some(code) => read_of(&mut self.octets, code),
            None => read(&mut self.octets),
        }
    }
}

impl<'a> Items<'a> {
    /// Keys and values of a map.
    pub(super) fn pairs(mut self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        std::iter::from_fn(move || Some((self.next()?, self.next()?)))
    }
}

impl<'a> Value<'a> {
    /// The octets of a text or of octets.
    pub(super) fn octets(self) -> Option<&'a [u8]> {
        match self {
            Value::Utf8(octets) | Value::Symbol(octets) | Value::Binary(octets) => Some(octets),
            _ => None,
        }
    }

    /// A number that is not negative.
    pub(super) fn unsigned(self) -> Option<u64> {
        match self {
            Value::UByte(n) => Some(n.into()),
            Value::UShort(n) => Some(n.into()),
            Value::UInt(n) => Some(n.into()),
            Value::ULong(n) => Some(n),
            Value::Byte(n) => u64::try_from(n).ok(),
            Value::Short(n) => u64::try_from(n).ok(),
            Value::Int(n) => u64::try_from(n).ok(),
            Value::Long(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }
}

fn take<'a>(octets: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = octets.split_at_checked(count)?;
    *octets = rest;
    Some(taken)
}

fn array<const N: usize>(octets: &mut &[u8]) -> Option<[u8; N]> {
    take(octets, N)?.try_into().ok()
}

fn octet(octets: &mut &[u8]) -> Option<u8> {
    array::<1>(octets).map(|[octet]| octet)
}

fn word(octets: &mut &[u8]) -> Option<u32> {
    array(octets).map(u32::from_be_bytes)
}

/// Octets with their length before them, in one octet or in four.
fn sized<'a>(octets: &mut &'a [u8], is_wide: bool) -> Option<&'a [u8]> {
    let length = if is_wide { word(octets)? } else { octet(octets)?.into() };
    take(octets, usize::try_from(length).ok()?)
}

fn items<'a>(octets: &mut &'a [u8], is_wide: bool) -> Option<Items<'a>> {
    let mut content = sized(octets, is_wide)?;
    let left = if is_wide { word(&mut content)? } else { octet(&mut content)?.into() };
    Some(Items { octets: content, left, code: None })
}

fn array_of<'a>(octets: &mut &'a [u8], is_wide: bool) -> Option<Value<'a>> {
    let mut found = items(octets, is_wide)?;
    match octet(&mut found.octets)? {
        0 => Some(Value::Other),
        code => Some(Value::Array(Items { code: Some(code), ..found })),
    }
}

/// Reads a value; `None` if there is none.
pub(super) fn read<'a>(octets: &mut &'a [u8]) -> Option<Value<'a>> {
    let mut code = octet(octets)?;
    let mut described = 0;
    while code == 0 {
        // A descriptor and what it describes: outside of sections nothing that is known has one.
        described += 1;
        if described > DEPTH_MAX {
            return None;
        }
        skip(octets)?;
        code = octet(octets)?;
    }
    let value = read_of(octets, code)?;
    Some(if described > 0 { Value::Other } else { value })
}

/// Passes over a value that is not described.
fn skip(octets: &mut &[u8]) -> Option<()> {
    let code = octet(octets)?;
    read_of(octets, code).map(|_| ())
}

/// Reads a value whose code was read.
fn read_of<'a>(octets: &mut &'a [u8], code: u8) -> Option<Value<'a>> {
    Some(match code {
        0x40 => Value::Null,
        0x41 => Value::Boolean(true),
        0x42 => Value::Boolean(false),
        0x43 => Value::UInt(0),
        0x44 => Value::ULong(0),
        0x45 => Value::List(Items { octets: &[], left: 0, code: None }),
        0x50 => Value::UByte(octet(octets)?),
        0x51 => Value::Byte(octet(octets)?.cast_signed()),
        0x52 => Value::UInt(octet(octets)?.into()),
        0x53 => Value::ULong(octet(octets)?.into()),
        0x54 => Value::Int(octet(octets)?.cast_signed().into()),
        0x55 => Value::Long(octet(octets)?.cast_signed().into()),
        0x56 => Value::Boolean(octet(octets)? != 0),
        0x60 => Value::UShort(u16::from_be_bytes(array(octets)?)),
        0x61 => Value::Short(i16::from_be_bytes(array(octets)?)),
        0x70 => Value::UInt(word(octets)?),
        0x71 => Value::Int(i32::from_be_bytes(array(octets)?)),
        0x72 => Value::Float(word(octets)?),
        0x73 => Value::Char(word(octets)?),
        0x80 => Value::ULong(u64::from_be_bytes(array(octets)?)),
        0x81 => Value::Long(i64::from_be_bytes(array(octets)?)),
        0x82 => Value::Double(u64::from_be_bytes(array(octets)?)),
        0x83 => Value::Timestamp(i64::from_be_bytes(array(octets)?)),
        0x98 => Value::Uuid(array(octets)?),
        0xA0 | 0xB0 => Value::Binary(sized(octets, code == 0xB0)?),
        0xA1 | 0xB1 => Value::Utf8(sized(octets, code == 0xB1)?),
        0xA3 | 0xB3 => Value::Symbol(sized(octets, code == 0xB3)?),
        0xC0 | 0xD0 => Value::List(items(octets, code == 0xD0)?),
        0xC1 | 0xD1 => Value::Map(items(octets, code == 0xD1)?),
        0xE0 | 0xF0 => array_of(octets, code == 0xF0)?,
        // Decimals, and what is yet to be invented: the code says how wide it is.
        _ => {
            match code >> 4 {
                0x4 => {}
                0x5 => drop(take(octets, 1)?),
                0x6 => drop(take(octets, 2)?),
                0x7 => drop(take(octets, 4)?),
                0x8 => drop(take(octets, 8)?),
                0x9 => drop(take(octets, 16)?),
                0xA | 0xC | 0xE => drop(sized(octets, false)?),
                0xB | 0xD | 0xF => drop(sized(octets, true)?),
                _ => return None,
            }
            Value::Other
        }
    })
}

/// Writes values behind each other.
pub(super) trait Write {
    fn null(&mut self);
    fn boolean(&mut self, value: bool);
    fn ubyte(&mut self, value: u8);
    fn uint(&mut self, value: u32);
    fn ulong(&mut self, value: u64);
    fn timestamp(&mut self, milliseconds: i64);
    fn uuid(&mut self, value: [u8; 16]);
    fn binary(&mut self, value: &[u8]);
    fn symbol(&mut self, value: &[u8]);
    /// A text; octets that are none become binary.
    fn text(&mut self, value: &[u8]);
    /// A value of fixed width, by its code.
    fn fixed(&mut self, code: u8, octets: &[u8]);
    /// The descriptor of a section.
    fn section(&mut self, code: u64);
    /// A list.
    fn list(&mut self, content: impl FnOnce(&mut Self) -> u32);
    /// A map; `content` tells how many keys it has.
    fn map(&mut self, content: impl FnOnce(&mut Self) -> u32);
    /// An array of values that have this code, which `content` writes without it.
    fn array(&mut self, code: u8, content: impl FnOnce(&mut Self) -> u32);
}

const BINARY: u8 = 0xA0;
const UTF8: u8 = 0xA1;
const SYMBOL: u8 = 0xA3;
const LIST: u8 = 0xC0;
const MAP: u8 = 0xC1;
const ARRAY: u8 = 0xE0;
/// What the code of the wide form is more than that of the narrow one.
const WIDE: u8 = 0x10;
/// The code of maps in an array, whose elements are all alike.
pub(super) const MAP_WIDE: u8 = MAP + WIDE;
/// The code of texts in an array.
pub(super) const TEXT_WIDE: u8 = UTF8 + WIDE;

fn push_sized(out: &mut Vec<u8>, code: u8, octets: &[u8]) {
    match u8::try_from(octets.len()) {
        Ok(length) => out.extend([code, length]),
        Err(_) => {
            out.push(code + WIDE);
            out.extend(length(octets.len()).to_be_bytes());
        }
    }
    out.extend_from_slice(octets);
}

fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

/// What has its size and a count before it; `per` values for each that `content` counts.
fn compound(out: &mut Vec<u8>, code: u8, per: u32, content: impl FnOnce(&mut Vec<u8>) -> u32) {
    out.extend([code, 0, 0]);
    let begin = out.len();
    let count = content(out) * per;
    let size = out.len() - begin;
    match (u8::try_from(size + 1), u8::try_from(count)) {
        (Ok(size), Ok(count)) => {
            out.get_mut(begin - 2..begin).into_iter().for_each(|head| {
                head.copy_from_slice(&[size, count]);
            });
        }
        _ => {
            let mut head = vec![code + WIDE];
            head.extend(length(size + 4).to_be_bytes());
            head.extend(count.to_be_bytes());
            out.splice(begin - 3..begin, head);
        }
    }
}

/// A map in an array: without its code, which all elements share.
pub(super) fn element_map(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>) -> u32) {
    let begin = out.len();
    out.extend([0; 8]);
    let count = content(out) * 2;
    let size = length(out.len() - begin - 4);
    if let Some(head) = out.get_mut(begin..begin + 8) {
        let (front, back) = head.split_at_mut(4);
        front.copy_from_slice(&size.to_be_bytes());
        back.copy_from_slice(&count.to_be_bytes());
    }
}

/// A text in an array, without its code.
pub(super) fn element_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(length(text.len()).to_be_bytes());
    out.extend_from_slice(text);
}

impl Write for Vec<u8> {
    fn null(&mut self) {
        self.push(0x40);
    }

    fn boolean(&mut self, value: bool) {
        self.push(if value { 0x41 } else { 0x42 });
    }

    fn ubyte(&mut self, value: u8) {
        self.extend([0x50, value]);
    }

    fn uint(&mut self, value: u32) {
        match u8::try_from(value) {
            Ok(0) => self.push(0x43),
            Ok(value) => self.extend([0x52, value]),
            Err(_) => self.fixed(0x70, &value.to_be_bytes()),
        }
    }

    fn ulong(&mut self, value: u64) {
        match u8::try_from(value) {
            Ok(0) => self.push(0x44),
            Ok(value) => self.extend([0x53, value]),
            Err(_) => self.fixed(0x80, &value.to_be_bytes()),
        }
    }

    fn timestamp(&mut self, milliseconds: i64) {
        self.fixed(0x83, &milliseconds.to_be_bytes());
    }

    fn uuid(&mut self, value: [u8; 16]) {
        self.fixed(0x98, &value);
    }

    fn binary(&mut self, value: &[u8]) {
        push_sized(self, BINARY, value);
    }

    fn symbol(&mut self, value: &[u8]) {
        push_sized(self, SYMBOL, value);
    }

    fn text(&mut self, value: &[u8]) {
        let is_text = std::str::from_utf8(value).is_ok();
        push_sized(self, if is_text { UTF8 } else { BINARY }, value);
    }

    fn fixed(&mut self, code: u8, octets: &[u8]) {
        self.push(code);
        self.extend_from_slice(octets);
    }

    fn section(&mut self, code: u64) {
        self.push(0);
        self.ulong(code);
    }

    fn list(&mut self, content: impl FnOnce(&mut Self) -> u32) {
        compound(self, LIST, 1, content);
    }

    fn map(&mut self, content: impl FnOnce(&mut Self) -> u32) {
        compound(self, MAP, 2, content);
    }

    fn array(&mut self, code: u8, content: impl FnOnce(&mut Self) -> u32) {
        compound(self, ARRAY, 1, |out| {
            out.push(code);
            content(out)
        });
    }
}
