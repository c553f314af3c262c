//! Messages on their way to the server. [rabbitmq stream Publish]

use crate::Command;
use crate::entry::Entry;
use crate::wire::{Reader, Wire, write_frame, write_length};

/// The messages of a Publish frame; all of them can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Id of the publisher, which may be unknown.
    pub publisher: u8,
    /// 1, or 2 with filter values.
    version: u16,
    count: u32,
    octets: &'a [u8],
}

/// One of them: a message, or several that share a publishing id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published<'a> {
    /// Id, of the client's choice.
    pub publishing_id: u64,
    /// What subscriptions may choose by. The empty value is none.
    pub filter_value: Option<&'a [u8]>,
    /// What is to be stored.
    pub entry: Entry<'a>,
}

impl<'a> Publish<'a> {
    pub(crate) fn read(version: u16, reader: &mut Reader<'a>) -> Option<Self> {
        let (publisher, count) = reader.read()?;
        let publish = Self { publisher, version, count, octets: reader.0 };
        for _ in 0..count {
            Published::read(version, reader)?;
        }
        Some(publish)
    }

    /// Number of publishing ids.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// They, in order.
    pub fn iter(&self) -> impl Iterator<Item = Published<'a>> + Clone + use<'a> {
        let (version, mut reader) = (self.version, Reader(self.octets));
        // That all can be read was found when the frame came.
        (0..self.count).map_while(move |_| Published::read(version, &mut reader))
    }

    /// Writes such a frame: version 2 if a filter value is among them.
    pub fn write(publisher: u8, messages: &[Published<'_>], out: &mut Vec<u8>) {
        let filtered = messages.iter().any(|message| message.filter_value.is_some());
        let version = if filtered { 2 } else { 1 };
        write_frame(out, Command::Publish.key(), version, |out| {
            publisher.write(out);
            write_length(messages.len(), out);
            for message in messages {
                message.write(version, out);
            }
        });
    }
}

impl<'a> Published<'a> {
    #[inline]
    fn read(version: u16, reader: &mut Reader<'a>) -> Option<Self> {
        let publishing_id = reader.read()?;
        let filter_value = match version {
            1 => None,
            _ => reader.string_octets()?.filter(|value| !value.is_empty()),
        };
        let entry = Entry::read(reader)?;
        if version > 1 && matches!(entry, Entry::Batch(_)) {
            return None;
        }
        Some(Self { publishing_id, filter_value, entry })
    }

    fn write(&self, version: u16, out: &mut Vec<u8>) {
        self.publishing_id.write(out);
        match self.filter_value {
            _ if version == 1 => {}
            None => u16::MAX.write(out),
            Some(value) => {
                let octets = u16::try_from(value.len()).unwrap_or(u16::MAX - 1).min(u16::MAX - 1);
                octets.write(out);
                out.extend_from_slice(value.get(..usize::from(octets)).unwrap_or_default());
            }
        }
        self.entry.write(out);
    }
}
