//! State of the channels of a connection, as far as frames go.

use std::collections::BTreeMap;

use crate::content::Content;

/// What may come next on a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ChannelState {
    /// Nothing but channel.open.
    #[default]
    Free,
    /// A method.
    Open,
    /// The header of a basic.publish's content.
    Header,
    /// More of a body.
    Body,
    /// More of a body that is too large and not kept.
    Discard,
    /// channel.close was sent: only close-ok and close matter.
    Closing,
}

/// All channels of a connection. An open one costs an octet until content is cut into pieces.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    /// By number, as far as the highest that was opened.
    states: Vec<ChannelState>,
    /// Channels that are not free.
    count: usize,
    contents: BTreeMap<u16, Content>,
    /// A content whose buffers can be used again.
    spare: Option<Content>,
}

impl Channels {
    #[inline]
    pub(crate) fn state(&self, channel: u16) -> ChannelState {
        self.states.get(usize::from(channel)).copied().unwrap_or_default()
    }

    /// Number of channels that are open or closing.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn set(&mut self, channel: u16, state: ChannelState) {
        let index = usize::from(channel);
        if index >= self.states.len() {
            self.states.resize(index + 1, ChannelState::Free);
        }
        let Some(slot) = self.states.get_mut(index) else { return };
        let was_free = std::mem::replace(slot, state) == ChannelState::Free;
        let is_free = state == ChannelState::Free;
        self.count = self.count + usize::from(was_free) - usize::from(is_free);
        if matches!(state, ChannelState::Free | ChannelState::Closing)
            && let Some(content) = self.contents.remove(&channel)
        {
            self.recycle(content);
        }
    }

    /// The content that is arriving on the channel; a new one if there is none.
    pub(crate) fn content(&mut self, channel: u16) -> &mut Content {
        let spare = &mut self.spare;
        self.contents.entry(channel).or_insert_with(|| spare.take().unwrap_or_default())
    }

    pub(crate) fn peek(&self, channel: u16) -> Option<&Content> {
        self.contents.get(&channel)
    }

    pub(crate) fn take_content(&mut self, channel: u16) -> Option<Content> {
        self.contents.remove(&channel)
    }

    /// Octets that contents take of which a part has come.
    pub(crate) fn unfinished_octets(&self) -> usize {
        self.contents.values().map(Content::octets).sum()
    }

    pub(crate) fn recycle(&mut self, mut content: Content) {
        content.recycle();
        self.spare = Some(content);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
