//! Field tables: a check without recursion that goes before every recursive parse.

use amq_protocol::types::FieldTable;
use amq_protocol::types::parsing::parse_field_table;

use crate::constants::TABLE_DEPTH_MAX;
use crate::reader::Reader;

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

/// Parses a table with its length in front; nothing may follow it.
///
/// # Errors
/// [`TableError`] for a table that is malformed, nested too deep, or has a name that is not UTF-8.
pub fn parse_table(input: &[u8]) -> Result<FieldTable, TableError> {
    if !skip_table(input)?.is_empty() {
        return Err(TableError::Malformed);
    }
    parse_field_table(input).map(|(_, table)| table).map_err(|_| TableError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

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
