//! Field tables: a check without recursion that goes before every recursive parse.

mod values;

use amq_protocol::types::FieldTable;

use self::values::{Nameless, push_long, read_table, write_table};
use crate::constants::{SHORT_STRING_MAX, TABLE_DEPTH_MAX};
use crate::reader::Reader;
use crate::text;

/// Why a field table cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A length reaches beyond what holds it, or a value has an unknown type.
    #[error("malformed field table")]
    Malformed,
    /// Tables and arrays are nested more than [`TABLE_DEPTH_MAX`] deep.
    #[error("field table nested too deep")]
    TooDeep,
}

/// One table or array that is being walked: what of the octets outside of it follows, and whether
/// its entries have names.
type Level<'a> = (Reader<'a>, bool);

/// Walks the table (with its length in front) at the start of `input` and returns the octets after
/// it. Allocates nothing unless tables are nested.
pub(crate) fn skip_table(input: &[u8]) -> Result<&[u8], TableError> {
    let mut outer = Reader(input);
    let table = outer.long_string().ok_or(TableError::Malformed)?;
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut here: Level<'_> = (Reader(table), true);
    loop {
        if here.0.is_empty() {
            match levels.pop() {
                Some(outside) => here = outside,
                None => return Ok(outer.0),
            }
            continue;
        }
        if let Some(inside) = skip_entry(&mut here).ok_or(TableError::Malformed)? {
            if levels.len() + 2 > TABLE_DEPTH_MAX {
                return Err(TableError::TooDeep);
            }
            levels.push(std::mem::replace(&mut here, inside));
        }
    }
}

/// Walks over one entry; a table or array inside is returned to be walked next.
fn skip_entry<'a>((reader, named): &mut Level<'a>) -> Option<Option<Level<'a>>> {
    if *named {
        reader.short_string()?;
    }
    let octets = match reader.octet()? {
        b't' | b'b' | b'B' => 1,
        b's' | b'U' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'L' | b'l' | b'd' | b'T' => 8,
        b'V' => 0,
        b'S' | b'x' => {
            reader.long_string()?;
            0
        }
        b'F' => return Some(Some((Reader(reader.long_string()?), true))),
        b'A' => return Some(Some((Reader(reader.long_string()?), false))),
        _ => return None,
    };
    reader.take(octets)?;
    Some(None)
}

/// Parses a table with its length in front; nothing may follow it. Names that are not UTF-8 become
/// text as [`crate::text`] has it. Of entries with the same name the first counts.
///
/// # Errors
/// [`TableError`] for a table that is malformed, nested too deep, or has a name of more than 85
/// octets that are not UTF-8.
pub fn parse_table(input: &[u8]) -> Result<FieldTable, TableError> {
    parse(input, Nameless::Refuse)
}

/// The same for the headers of a message, which travel as octets: a name that has no text is left
/// out.
///
/// # Errors
/// [`TableError`] for a table that is malformed or nested too deep.
pub fn parse_headers(input: &[u8]) -> Result<FieldTable, TableError> {
    parse(input, Nameless::LeaveOut)
}

fn parse(input: &[u8], nameless: Nameless) -> Result<FieldTable, TableError> {
    if !skip_table(input)?.is_empty() {
        return Err(TableError::Malformed);
    }
    let content = Reader(input).long_string().unwrap_or_default();
    read_table(content, nameless).ok_or(TableError::Malformed)
}

/// A table as octets, with its length in front.
pub fn encode_table(table: &FieldTable) -> Vec<u8> {
    let mut out = Vec::new();
    write_table(table, &mut out);
    out
}

/// Whether all names in the table (with its length in front), those of nested ones too, are text
/// that is itself; see [`crate::text`]. The shape has been checked.
pub(crate) fn has_plain_names(table: &[u8]) -> bool {
    let content = Reader(table).long_string().unwrap_or_default();
    let mut levels: Vec<Level<'_>> = vec![(Reader(content), true)];
    while let Some(level) = levels.last_mut() {
        if level.0.is_empty() {
            levels.pop();
            continue;
        }
        let is_plain = |name| matches!(text::from_octets(name), std::borrow::Cow::Borrowed(_));
        if level.1 && !level.0.clone().short_string().is_none_or(is_plain) {
            return false;
        }
        match skip_entry(level) {
            Some(Some(inside)) => levels.push(inside),
            Some(None) => {}
            None => return true,
        }
    }
    true
}

/// The entries of a table as octets: names, and names with their values.
///
/// Ends early at what cannot be read; [`parse_table`] tells whether there is such a thing.
pub fn entries(table: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let content = Reader(table).long_string().unwrap_or_default();
    let mut level: Level<'_> = (Reader(content), true);
    std::iter::from_fn(move || {
        let before = level.0.0;
        let name = Reader(before).short_string()?;
        // What is nested is stepped over as a whole.
        skip_entry(&mut level)?;
        let entry = before.get(..before.len() - level.0.0.len())?;
        Some((name, entry))
    })
}

/// The elements of an array, which is given with its length: their types and the octets of their
/// values, that of an inner array or table with its length.
pub fn elements(array: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let content = Reader(array).long_string().unwrap_or_default();
    let mut level: Level<'_> = (Reader(content), false);
    std::iter::from_fn(move || {
        let before = level.0.0;
        skip_entry(&mut level)?;
        let element = before.get(..before.len() - level.0.0.len())?;
        let (kind, value) = element.split_first()?;
        Some((*kind, value))
    })
}

/// Writes a field table entry by entry, in the order that is wanted.
///
/// ```
/// use leveret_protocol::table::{TableWriter, parse_table};
///
/// let mut inner = TableWriter::new();
/// inner.long_string("reason", b"expired");
/// let mut table = TableWriter::new();
/// table.long_long("count", 1).tables("deaths", [inner]);
/// assert_eq!(parse_table(&table.finish())?.inner().len(), 2);
/// # Ok::<(), leveret_protocol::table::TableError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TableWriter(Vec<u8>);

impl Default for TableWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl TableWriter {
    /// An empty table.
    pub fn new() -> Self {
        Self(vec![0; 4])
    }

    fn name(&mut self, name: &str, kind: u8) {
        let name = name.as_bytes().get(..name.len().min(SHORT_STRING_MAX)).unwrap_or_default();
        self.0.push(name.len() as u8);
        self.0.extend_from_slice(name);
        self.0.push(kind);
    }

    /// An entry as [`entries`] gives it.
    pub fn entry(&mut self, entry: &[u8]) -> &mut Self {
        self.0.extend_from_slice(entry);
        self
    }

    /// A signed 32-bit number.
    pub fn long(&mut self, name: &str, value: i32) -> &mut Self {
        self.name(name, b'I');
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A signed 64-bit number.
    pub fn long_long(&mut self, name: &str, value: i64) -> &mut Self {
        self.name(name, b'l');
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A timestamp, in seconds.
    pub fn timestamp(&mut self, name: &str, seconds: u64) -> &mut Self {
        self.name(name, b'T');
        self.0.extend_from_slice(&seconds.to_be_bytes());
        self
    }

    /// A long string.
    pub fn long_string(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.name(name, b'S');
        push_long(&mut self.0, value);
        self
    }

    /// An array of long strings.
    pub fn long_strings<'a>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> &mut Self {
        let mut array = Vec::new();
        for value in values {
            array.push(b'S');
            push_long(&mut array, value);
        }
        self.name(name, b'A');
        push_long(&mut self.0, &array);
        self
    }

    /// An array of tables.
    pub fn tables(&mut self, name: &str, tables: impl IntoIterator<Item = Self>) -> &mut Self {
        let mut array = Vec::new();
        for table in tables {
            array.push(b'F');
            array.extend_from_slice(&table.finish());
        }
        self.name(name, b'A');
        push_long(&mut self.0, &array);
        self
    }

    /// The table with its length in front.
    pub fn finish(mut self) -> Vec<u8> {
        let size = (self.0.len() - 4) as u32;
        if let Some(front) = self.0.first_chunk_mut() {
            *front = size.to_be_bytes();
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_copied_octet_for_octet() {
        let mut inner = TableWriter::new();
        inner.long_strings("keys", [&b"a"[..], b"b"]);
        let mut table = TableWriter::new();
        table.long_string("b", b"x").tables("t", [inner]).long_long("a", -1).timestamp("n", 9);
        let table = table.finish();
        let names: Vec<_> = entries(&table).map(|(name, _)| name).collect();
        assert_eq!(names, [&b"b"[..], b"t", b"a", b"n"]);
        let mut copy = TableWriter::new();
        for (_, entry) in entries(&table) {
            copy.entry(entry);
        }
        assert_eq!(copy.finish(), table);
        assert!(parse_table(&table).is_ok());
    }

    #[test]
    fn entries_end_at_what_cannot_be_read() {
        assert_eq!(entries(b"").count(), 0);
        assert_eq!(entries(b"\0\0\0\x05\x01kV\x01k").count(), 1);
        assert_eq!(entries(b"\0\0\0\x03\x01kZ").count(), 0);
    }

    /// A table in a table, `depth` levels in all.
    fn nested(depth: usize) -> Vec<u8> {
        let mut table = Vec::new();
        for _ in 1..depth {
            let size = (table.len() as u32).to_be_bytes();
            let inside = std::mem::replace(&mut table, vec![1, b'k', b'F']);
            table.extend(size);
            table.extend(inside);
        }
        let mut octets = (table.len() as u32).to_be_bytes().to_vec();
        octets.extend(table);
        octets
    }

    #[test]
    fn depth_is_limited() {
        assert!(parse_table(&nested(TABLE_DEPTH_MAX)).is_ok());
        assert_eq!(parse_table(&nested(TABLE_DEPTH_MAX + 1)), Err(TableError::TooDeep));
        assert_eq!(parse_table(&nested(13_000)), Err(TableError::TooDeep));
    }

    #[test]
    fn lengths_are_checked() {
        for input in [&b""[..], b"\0\0\0\x01", b"\0\0\0\x03\x01kS", b"\0\0\0\x03\x01kZ"] {
            assert_eq!(parse_table(input), Err(TableError::Malformed), "{input:?}");
        }
        assert_eq!(parse_table(b"\0\0\0\0\0"), Err(TableError::Malformed));
    }
}
