//! What edits of users and permissions tell those who listen to events
//! `[rabbitmq event-exchange]`. The table is locked.

use super::edits::Edits;
use super::permissions::Permissions;
use super::users::User;
use crate::base::herald::Told;

impl Edits {
    /// A user is made, or takes the place of what it was before.
    pub(super) fn tell_user(&self, before: Option<&User>, user: &User) {
        let named = |told: Told| told.text("name", user.name.as_str());
        match before.map(|before| &before.password_hash) {
            None => self.tell("user.created", named),
            Some(known) if *known == user.password_hash => {}
            Some(_) if user.password_hash.is_none() => self.tell("user.password.cleared", named),
            Some(_) => self.tell("user.password.changed", named),
        }
        let tags = before.map_or(&[][..], |before| &before.tags);
        if before.is_none() || tags != user.tags {
            let tags = || user.tags.iter().map(ToString::to_string);
            self.tell("user.tags.set", |told| named(told).texts("tags", tags()));
        }
        let limits = |user: &User| (user.max_connections, user.max_channels);
        let was = before.map_or((None, None), limits);
        let told = |told: Told| told.text("name", "limits").text("username", user.name.as_str());
        match limits(user) {
            now if now == was => {}
            (None, None) => self.tell("user.limits.cleared", told),
            (connections, channels) => self.tell("user.limits.set", |is| {
                let limits = [("max-connections", connections), ("max-channels", channels)];
                let limits = limits.into_iter().filter_map(|(name, limit)| Some((name, limit?)));
                limits.fold(told(is), |told, (name, limit)| told.number(name, limit))
            }),
        }
    }

    /// Permissions are set.
    pub(super) fn tell_permissions(&self, user: &str, vhost: &str, permissions: &Permissions) {
        self.tell("permission.created", |told| {
            told.text("user", user)
                .text("vhost", vhost)
                .text("configure", permissions.configure.as_str())
                .text("write", permissions.write.as_str())
                .text("read", permissions.read.as_str())
        });
    }

    /// Permissions are gone, of `topic` or others.
    pub(super) fn tell_removed(&self, key: &'static str, user: &str, vhost: &str) {
        self.tell(key, |told| told.text("user", user).text("vhost", vhost));
    }
}
