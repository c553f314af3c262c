//! Finds records in a segment, and what is none.

use std::io;
use std::ops::Range;

use crate::disk::DiskFile;
use crate::stream::record::{ALIGN, Parsed, Place, Record};

/// Octets that are read at a time.
const STEP: usize = 64 << 10;

/// Something in a segment.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A record; whether its data is what was written was only looked at on demand.
    Record(Record),
    /// Something that is no record, up to the next one or to the end.
    Hole(Range<u64>),
}

/// Goes through a segment.
pub(crate) struct Scanner<'a> {
    file: &'a dyn DiskFile,
    place: Place,
    position: u64,
    end: u64,
    checks_data: bool,
    /// What was read, and where it begins.
    octets: Vec<u8>,
    begin: u64,
    /// A record that was found behind a hole.
    ahead: Option<Record>,
}

impl<'a> Scanner<'a> {
    /// From a position, which is a multiple of 8, up to `end`, or the end of the file.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn new(
        file: &'a dyn DiskFile,
        place: Place,
        position: u64,
        end: u64,
    ) -> io::Result<Self> {
        let end = end.min(file.len()?);
        let (octets, begin) = (Vec::new(), position);
        Ok(Self { file, place, position, end, checks_data: false, octets, begin, ahead: None })
    }

    /// Takes what has other data than was written for no record, and reports it as a hole.
    pub(crate) fn checking_data(mut self) -> Self {
        self.checks_data = true;
        self
    }

    /// Octets from a position on, as many as there are.
    fn get(&mut self, position: u64, octets: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
        let wanted = octets.min(left);
        let known = (self.begin..=self.begin + self.octets.len() as u64).contains(&position)
            && self.begin + self.octets.len() as u64 - position >= wanted as u64;
        if !known {
            self.octets.clear();
            self.octets.resize(wanted.max(STEP.min(left)), 0);
            self.begin = position;
            self.file.read_at(&mut self.octets, position)?;
        }
        let at = (position - self.begin) as usize;
        Ok(self.octets.get(at..at + wanted).unwrap_or_default())
    }

    /// The record at this position.
    fn record_at(&mut self, position: u64) -> io::Result<Option<Record>> {
        let (place, end, mut needed) = (self.place, self.end, 128);
        let record = loop {
            let octets = self.get(position, needed)?;
            match Record::parse(octets, place, position) {
                Parsed::Record(record) if record.end() <= end => break record,
                Parsed::Short(more) if more > needed && octets.len() == needed => needed = more,
                Parsed::Record(_) | Parsed::Short(_) | Parsed::Nothing => return Ok(None),
            }
        };
        if self.checks_data {
            let octets = self.get(position, record.span() as usize)?;
            return Ok(Some(record).filter(|record| record.data_is_sound(octets)));
        }
        Ok(Some(record))
    }

    /// The octets before the data of a record that was just found.
    pub(crate) fn head(&mut self, record: &Record) -> io::Result<&[u8]> {
        self.get(record.position, record.chunk().start)
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn next(&mut self) -> io::Result<Option<Item>> {
        if let Some(record) = self.ahead.take() {
            self.position = record.end();
            return Ok(Some(Item::Record(record)));
        }
        if self.position >= self.end {
            return Ok(None);
        }
        let from = self.position;
        if let Some(record) = self.record_at(from)? {
            self.position = record.end();
            return Ok(Some(Item::Record(record)));
        }
        let mut position = self.skip_zeros(from + ALIGN)?;
        while position < self.end {
            if let Some(record) = self.record_at(position)? {
                self.ahead = Some(record);
                break;
            }
            position = self.skip_zeros(position + ALIGN)?;
        }
        self.position = position.min(self.end);
        Ok(Some(Item::Hole(from..self.position)))
    }

    /// The first position from this one on at which there is something else than zeros.
    fn skip_zeros(&mut self, mut position: u64) -> io::Result<u64> {
        const BLOCK: usize = 4096;
        while position < self.end {
            let octets = self.get(position, BLOCK)?;
            let length = octets.len() as u64;
            let zeros = octets.iter().take_while(|octet| **octet == 0).count() as u64;
            if zeros < length {
                // Its checksum may begin with zeros.
                return Ok(position + zeros / ALIGN * ALIGN);
            }
            position += length.next_multiple_of(ALIGN);
        }
        Ok(self.end)
    }
}
