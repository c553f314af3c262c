//! Looking at the disk now and then, to see whether it has the room that it is to have.

use std::sync::Arc;

use crate::base::disk;
use crate::node::Node;
use crate::node::disk_alarm::DiskAlarm;
use crate::time::timers::Sleeper;

impl Node {
    /// From now on the disk is to have so much room, in octets; 0 for any. Looks at once, and then
    /// as often as it takes to be in time. Without a directory there is no disk to look at.
    pub(crate) fn set_disk_free_limit(self: &Arc<Self>, bytes: u64) {
        self.disk_alarm.set_limit_bytes(bytes);
        self.look_at_disk();
    }

    fn look_at_disk(self: &Arc<Self>) {
        let Some(directory) = self.directory() else { return };
        let limit = self.disk_alarm.limit_bytes();
        let free_bytes = disk::free_bytes(directory).or((limit == 0).then_some(0));
        // Where nobody can tell, it shows when the disk takes no more.
        let Some(free_bytes) = free_bytes else { return };
        let next_ms = self.disk_alarm.note_free(directory, free_bytes);
        if limit > 0 {
            let next = self.clock().now().after_ms(next_ms);
            self.timers().schedule(next, self, &self.disk_alarm);
        }
    }
}

/// It is time to look.
impl Sleeper for DiskAlarm {
    type Host = Node;

    fn wake(self: Arc<Self>, node: &Arc<Node>) {
        node.look_at_disk();
    }
}
