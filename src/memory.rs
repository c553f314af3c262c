//! How much memory the messages of a broker take, and the alarm above the high watermark
//! `[rabbitmq memory]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use parking_lot::Mutex;

use crate::queue::effects::Wake;

/// Octets held by all queues, and who is to be told when they are too many.
pub struct Memory {
    used: AtomicIsize,
    high_watermark: usize,
    /// Raised by an operator, whatever is used.
    forced: AtomicBool,
    alarmed: AtomicBool,
    blocked: Mutex<Vec<Arc<dyn Wake>>>,
}

impl Memory {
    /// Counts from nothing; the alarm is raised above `high_watermark` octets.
    pub fn new(high_watermark: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicIsize::new(0),
            high_watermark,
            forced: AtomicBool::new(false),
            alarmed: AtomicBool::new(false),
            blocked: Mutex::default(),
        })
    }

    /// Octets in use.
    pub fn used(&self) -> usize {
        usize::try_from(self.used.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Counts `octets` more, or less if negative.
    pub fn add(&self, octets: isize) {
        if octets != 0 {
            self.used.fetch_add(octets, Ordering::Relaxed);
            self.evaluate();
        }
    }

    /// Raises the alarm by hand, or takes it back.
    pub fn force_alarm(&self, on: bool) {
        self.forced.store(on, Ordering::Relaxed);
        self.evaluate();
    }

    /// Whether publishers are to be held back.
    pub fn is_alarmed(&self) -> bool {
        self.alarmed.load(Ordering::Acquire)
    }

    /// Wakes `sleeper` when the alarm is over; at once if it is.
    pub fn wake_when_over(&self, sleeper: Arc<dyn Wake>) {
        self.blocked.lock().push(Arc::clone(&sleeper));
        if !self.is_alarmed() {
            self.release();
        }
    }

    fn evaluate(&self) {
        let alarmed = self.alarmed.load(Ordering::Relaxed);
        // Some way below the watermark before it clears, so that it does not flutter.
        let limit = self.high_watermark - if alarmed { self.high_watermark / 10 } else { 0 };
        let on = self.forced.load(Ordering::Relaxed) || self.used() > limit;
        if alarmed == on {
            return;
        }
        if self.alarmed.swap(on, Ordering::AcqRel) != on {
            if on {
                tracing::warn!(
                    "memory alarm raised: messages take {} octets, the high watermark is {}; \
                     publishers are blocked",
                    self.used(),
                    self.high_watermark
                );
            } else {
                tracing::info!("memory alarm cleared: publishers go on");
                self.release();
            }
        }
    }

    fn release(&self) {
        let blocked = std::mem::take(&mut *self.blocked.lock());
        for sleeper in blocked {
            sleeper.wake();
        }
    }
}
