//! Properties of messages that links change on their way.

use amq_protocol::protocol::BasicProperties;

/// The properties of a message, with those that are `set` in place of its own.
pub(crate) fn replaced(own: BasicProperties, set: &BasicProperties) -> BasicProperties {
    let properties = but_for_user(own, set);
    match set.user_id() {
        Some(user) => properties.with_user_id(user.clone()),
        None => properties,
    }
}

/// The properties without the user, who is nobody at another broker.
pub(crate) fn without_user_id(all: &BasicProperties) -> BasicProperties {
    but_for_user(BasicProperties::default(), all)
}

/// `own`, with what is `set` in place of it, but for the user.
fn but_for_user(own: BasicProperties, set: &BasicProperties) -> BasicProperties {
    let mut properties = own;
    macro_rules! replace {
        ($($get:ident $with:ident,)*) => {
            $(if let Some(value) = set.$get().clone() {
                properties = properties.$with(value);
            })*
        };
    }
    replace! {
        content_type with_content_type,
        content_encoding with_content_encoding,
        headers with_headers,
        delivery_mode with_delivery_mode,
        priority with_priority,
        correlation_id with_correlation_id,
        reply_to with_reply_to,
        expiration with_expiration,
        message_id with_message_id,
        timestamp with_timestamp,
        kind with_type,
        app_id with_app_id,
        cluster_id with_cluster_id,
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> BasicProperties {
        let text = |text: &str| text.into();
        BasicProperties::default()
            .with_content_type(text("a"))
            .with_content_encoding(text("b"))
            .with_headers(Default::default())
            .with_delivery_mode(2)
            .with_priority(3)
            .with_correlation_id(text("c"))
            .with_reply_to(text("d"))
            .with_expiration(text("4"))
            .with_message_id(text("e"))
            .with_timestamp(5)
            .with_type(text("f"))
            .with_app_id(text("g"))
            .with_cluster_id(text("h"))
    }

    #[test]
    fn all_that_is_set_takes_the_place_of_what_there_was() {
        let set = full().with_user_id("u".into());
        assert_eq!(replaced(BasicProperties::default().with_priority(9), &set), set);
        assert_eq!(replaced(set.clone(), &BasicProperties::default()), set);
    }

    #[test]
    fn the_user_alone_is_left_out() {
        assert_eq!(without_user_id(&full().with_user_id("u".into())), full());
    }
}
