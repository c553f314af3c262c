//! Short texts that are made of other values.

use super::values::Value;

/// A short text that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    octets: [u8; 45],
    length: usize,
}

impl Text {
    pub(super) fn of(value: Value<'_>) -> Self {
        let mut text = Self { octets: [0; 45], length: 0 };
        match value {
            Value::Uuid(uuid) => text.uuid(uuid),
            Value::ULong(number) => {
                let mut buffer = [0; 20];
                let digits = digits(&mut buffer, number);
                text.push(digits);
            }
            _ => {}
        }
        text
    }

    fn push(&mut self, octets: &[u8]) {
        let end = self.length + octets.len();
        if let Some(to) = self.octets.get_mut(self.length..end) {
            to.copy_from_slice(octets);
            self.length = end;
        }
    }

    fn uuid(&mut self, uuid: [u8; 16]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.push(b"urn:uuid:");
        for (at, octet) in uuid.into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                self.push(b"-");
            }
            self.push(&[DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]);
        }
    }

    pub(super) fn as_octets(&self) -> Option<&[u8]> {
        self.octets.get(..self.length).filter(|octets| !octets.is_empty())
    }
}

/// A number in digits.
pub(super) fn digits(buffer: &mut [u8], mut number: u64) -> &[u8] {
    let mut at = buffer.len();
    while at > 0 {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    buffer.get(at..).unwrap_or_default()
}
