//! Whose turn it is among the consumers of a stream: whoever has waited longest of those for whom
//! there may be something. No step looks at more than two of them, however many there are.

use std::collections::BTreeSet;

/// Where a consumer stands in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    /// Who came earlier has a lower one.
    ticket: u64,
    slot: usize,
    /// It has read everything up to here, and there is nothing for it before there is more.
    at_end: Option<u64>,
}

impl Stand {
    /// Up to where there is nothing for it.
    pub(super) fn at_end(&self) -> Option<u64> {
        self.at_end
    }
}

/// Those who stand in line, by the slots that they have.
#[derive(Default)]
pub(super) struct Line {
    tickets: u64,
    /// Those for whom there may be something, by ticket.
    ready: BTreeSet<(u64, usize)>,
    /// The others, by what they have read, then by ticket.
    at_end: BTreeSet<(u64, u64, usize)>,
}

impl Line {
    /// A consumer stands in line behind the others; it may have read everything up to an offset.
    pub(super) fn join(&mut self, slot: usize, at_end: Option<u64>) -> Stand {
        self.tickets += 1;
        let ticket = self.tickets;
        match at_end {
            None => self.ready.insert((ticket, slot)),
            Some(committed) => self.at_end.insert((committed, ticket, slot)),
        };
        Stand { ticket, slot, at_end }
    }

    /// A consumer leaves, if it stood somewhere.
    pub(super) fn leave(&mut self, stand: Option<Stand>) {
        let Some(Stand { ticket, slot, at_end }) = stand else { return };
        match at_end {
            None => self.ready.remove(&(ticket, slot)),
            Some(committed) => self.at_end.remove(&(committed, ticket, slot)),
        };
    }

    /// The slot of the one that is next if the stream is committed up to an offset. It stays where
    /// it is.
    pub(super) fn next(&self, committed: u64) -> Option<usize> {
        let ready = self.ready.first().copied();
        let woken = self.at_end.first().filter(|(at_end, ..)| *at_end < committed);
        let woken = woken.map(|(_, ticket, slot)| (*ticket, *slot));
        [ready, woken].into_iter().flatten().min().map(|(_, slot)| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_came_first_is_next_unless_there_is_nothing_for_it() {
        let mut line = Line::default();
        let caught_up = line.join(7, Some(10));
        let (first, second) = (line.join(3, None), line.join(1, None));
        assert_eq!(line.next(10), Some(3));
        assert_eq!(line.next(11), Some(7));
        line.leave(Some(caught_up));
        assert_eq!(line.next(11), Some(3));
        line.leave(Some(first));
        assert_eq!(line.next(11), Some(1));
        line.leave(Some(second));
        assert_eq!(line.next(11), None);
    }

    #[test]
    fn who_has_read_less_is_not_hidden_by_who_has_read_more() {
        let mut line = Line::default();
        line.join(0, Some(12));
        line.join(1, Some(11));
        assert_eq!(line.next(11), None);
        assert_eq!(line.next(12), Some(1));
    }
}
