//! What is known of a virtual host besides its name `[rabbitmq vhosts#metadata]`.

use serde::{Deserialize, Serialize};

use crate::queue::QueueType;

/// What is known of a virtual host besides its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HostMetadata {
    /// A text for people.
    pub description: String,
    /// Tags for people and tools.
    pub tags: Vec<String>,
    /// The type of queues that are declared without `x-queue-type`, as that would name it; `None`
    /// for classic queues `[rabbitmq default-queue-type]`.
    pub default_queue_type: Option<String>,
    /// Whether it cannot be deleted before that is lifted `[rabbitmq vhosts#deletion-protection]`.
    pub protected_from_deletion: bool,
    /// Who created it; empty for the broker itself.
    pub created_by: String,
}

impl HostMetadata {
    /// What RabbitMQ says of the virtual host that is there from the start.
    pub(crate) fn of_default() -> Self {
        Self { description: "Default virtual host".to_owned(), ..Self::default() }
    }

    /// The type of queues that are declared without `x-queue-type`.
    pub(crate) fn queue_type(&self) -> QueueType {
        let name = self.default_queue_type.as_deref();
        name.and_then(QueueType::from_name).unwrap_or_default()
    }
}
