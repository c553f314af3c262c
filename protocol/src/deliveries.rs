//! A run of basic.deliver: one that differs from the last in its number and body alone is copied
//! from it.

use crate::constants::{
    FRAME_BODY, FRAME_END, FRAME_HEADER_OCTETS, FRAME_OVERHEAD, SHORT_STRING_MAX,
};
use crate::encoder::Message;
use crate::frame::FrameHeader;
use crate::output::{Output, SHARED_OCTETS_MIN};

/// Octets of basic.deliver's frame before the delivery tag, but for the consumer tag: the frame's
/// header, the method's id, the length of the consumer tag.
const BEFORE_DELIVERY_TAG: usize = FRAME_HEADER_OCTETS + 4 + 1;

/// Octets of the content header's frame before the size of the body: the frame's header, class and
/// weight.
const BEFORE_BODY_SIZE: usize = FRAME_HEADER_OCTETS + 4;

/// Where the last delivery lies among what was copied into the output, and what is where in it.
#[derive(Clone, Copy, Debug)]
struct Last {
    start: usize,
    delivery_tag: usize,
    body_size: usize,
    /// Octets of the frames of method and content header.
    octets: usize,
    /// Octets of its body if that is one frame behind them: it is not empty, split or shared.
    body: Option<usize>,
}

/// Writes deliveries of one channel, one after the other.
#[derive(Debug)]
pub struct Deliveries<'a> {
    pub(crate) output: &'a mut Output,
    pub(crate) channel: u16,
    pub(crate) frame_max: u32,
    last: Option<Last>,
}

impl<'a> Deliveries<'a> {
    /// On a channel; `frame_max` is in octets, 0 for no limit.
    pub fn new(output: &'a mut Output, channel: u16, frame_max: u32) -> Self {
        Self { output, channel, frame_max, last: None }
    }

    /// A delivery. See [`Output::deliver`].
    #[inline]
    pub fn add(
        &mut self,
        consumer_tag: &[u8],
        delivery_tag: u64,
        redelivered: bool,
        message: &Message<'_>,
    ) {
        let start = self.output.copied.len();
        let (channel, frame_max) = (self.channel, self.frame_max);
        self.output.deliver(channel, consumer_tag, delivery_tag, redelivered, message, frame_max);
        let frame = self.output.copied.get(start..).and_then(FrameHeader::read);
        let method_octets = frame.map_or(0, |frame| frame.size as usize + FRAME_OVERHEAD);
        let properties = message.properties.len().max(2);
        let octets = method_octets + BEFORE_BODY_SIZE + 8 + properties + 1;
        let body = (self.output.copied.len() - start).checked_sub(octets + FRAME_OVERHEAD);
        self.last = Some(Last {
            start,
            delivery_tag: BEFORE_DELIVERY_TAG + consumer_tag.len().min(SHORT_STRING_MAX),
            body_size: method_octets + BEFORE_BODY_SIZE,
            octets,
            body: body.filter(|octets| *octets == message.body.as_slice().len()),
        });
    }

    /// A delivery like the last one but for what is given. Tells whether it was written: if there
    /// was none, or the body is empty, large or takes several frames, it was not.
    #[inline]
    pub fn add_like_last(&mut self, delivery_tag: u64, redelivered: bool, body: &[u8]) -> bool {
        let payload_max = match self.frame_max as usize {
            0 => usize::MAX,
            frame_max => frame_max.saturating_sub(FRAME_OVERHEAD),
        };
        let Some(last) = &mut self.last else { return false };
        if body.is_empty() || body.len() > payload_max || body.len() >= SHARED_OCTETS_MIN {
            return false;
        }
        let copied = &mut self.output.copied;
        let (start, is_as_long) = (copied.len(), last.body == Some(body.len()));
        let body_frame = FRAME_OVERHEAD + body.len();
        let octets = last.octets + if is_as_long { body_frame } else { 0 };
        if last.start + octets > start {
            return false;
        }
        copied.reserve(last.octets + body_frame);
        copied.extend_from_within(last.start..last.start + octets);
        let octets = copied.get_mut(start..).unwrap_or_default();
        put(octets, last.delivery_tag, delivery_tag.to_be_bytes());
        put(octets, last.delivery_tag + 8, [u8::from(redelivered)]);
        if is_as_long {
            let from = last.octets + FRAME_HEADER_OCTETS;
            if let Some(place) = octets.get_mut(from..from + body.len()) {
                place.copy_from_slice(body);
            }
        } else {
            put(octets, last.body_size, (body.len() as u64).to_be_bytes());
            let header =
                FrameHeader { kind: FRAME_BODY, channel: self.channel, size: body.len() as u32 };
            copied.extend_from_slice(&header.to_octets());
            copied.extend_from_slice(body);
            copied.push(FRAME_END);
        }
        (last.start, last.body) = (start, Some(body.len()));
        true
    }
}

/// Overwrites what is at this place.
#[inline]
fn put<const N: usize>(octets: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = octets.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<N>()) {
        *place = value;
    }
}
