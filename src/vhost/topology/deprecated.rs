//! What RabbitMQ 4.0 takes and RabbitMQ 4.3 does not, refused if that is wanted
//! `[rabbitmq deprecated-features]`.

use crate::base::argument;
use crate::base::field_value::{get, integer};
use crate::base::names::QueueName;
use crate::error::{ArgumentError, Error, Precondition, Resource, Result};
use crate::insight::lint::LintKind;
use crate::queue::{QueueArguments, QueueType};
use crate::vhost::VirtualHost;
use crate::vhost::topology::declaration::QueueDeclare;

/// Arguments that classic queues do not have any more; of the second only the value 1 is gone.
const REMOVED_ARGUMENTS: &[&str] =
    &[argument::QUEUE_MODE, argument::QUEUE_VERSION, argument::CONSUMER_TIMEOUT];

impl VirtualHost {
    /// Whether what RabbitMQ 4.3 does not permit is refused.
    pub(in crate::vhost) fn denies_deprecated(&self) -> bool {
        self.shared.deny_deprecated
    }

    /// A queue is about to be declared. Errors: 406 for arguments that are gone, 541 for features
    /// that are deprecated.
    pub(in crate::vhost) fn check_deprecated(
        &self,
        name: &QueueName,
        declare: &QueueDeclare,
        arguments: &QueueArguments,
    ) -> Result<()> {
        if !self.denies_deprecated() {
            return Ok(());
        }
        let is_classic = arguments.queue_type == QueueType::Classic;
        let table = &declare.arguments;
        let is_removed = |argument: &&str| match get(table, argument) {
            Some(version) if *argument == argument::QUEUE_VERSION => integer(version) == Some(1),
            value => value.is_some(),
        };
        if let Some(argument) = REMOVED_ARGUMENTS.iter().copied().find(is_removed)
            && is_classic
        {
            // What RabbitMQ says of the last, and of arguments of other types of queue.
            let module = arguments.queue_type.module();
            let error = ArgumentError::OtherQueueType { argument, module };
            let queue = Resource::queue(name, &self.name);
            return Err(Precondition::Argument(error, queue).into());
        }
        if !declare.durable && !declare.exclusive {
            return Err(Error::Deprecated("transient_nonexcl_queues"));
        }
        if is_classic && get(table, argument::QUEUE_MASTER_LOCATOR).is_some() {
            return Err(Error::Deprecated("queue_master_locator"));
        }
        Ok(())
    }

    /// Whether basic.qos with `global=true` sets a limit that the channel's consumers share. If it
    /// is denied RabbitMQ takes it as `global=false`. Errors: 406 if that is looked for.
    pub(crate) fn permits_global_qos(&self) -> Result<bool> {
        if !self.denies_deprecated() {
            return Ok(true);
        }
        let text = "global=true is deprecated: it is taken as global=false, a limit for each \
                    consumer that starts after it";
        match self.lints() {
            Some(lints) => {
                let subject = format!("basic.qos in vhost '{}'", self.name);
                lints.report(LintKind::GlobalQos, subject, "", text.into())?;
            }
            None => tracing::warn!("basic.qos in vhost '{}': {text}", self.name),
        }
        Ok(false)
    }
}
