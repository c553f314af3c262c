//! Who may call an endpoint, by tags and by permissions in its virtual host
//! `[rabbitmq management permissions]`.

use crate::access::{User, UserTag};
use crate::management::call::{Call, Host};

/// Why a user without any of the tags may nothing.
pub(super) const NOT_A_MANAGER: &str = "Not management user";

/// Whether the user may use the API at all.
pub(super) fn is_manager(user: &User) -> bool {
    use UserTag::{Administrator, Management, Monitoring, Policymaker};
    [Administrator, Monitoring, Policymaker, Management].iter().any(|tag| user.has_tag(tag))
}

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody, without credentials.
    Anyone,
    /// Users with one of the tags `management`, `policymaker`, `monitoring`, `administrator`; all
    /// others need one of them too.
    Managers,
    /// Those with `monitoring`.
    Monitors,
    /// Those with `administrator`.
    Administrators,
    /// Administrators, and those with permissions in the virtual host.
    OfHost,
    /// The same, and those with `monitoring`.
    ViewersOfHost,
    /// Administrators, and those with `policymaker` and permissions in the virtual host.
    PolicymakersOfHost,
    /// Those with `policymaker`.
    Policymakers,
}

impl Who {
    /// Why the user may not, if that is so.
    pub(super) fn refusal(self, call: &Call) -> Option<&'static str> {
        let (may, reason) = match self {
            Self::Anyone => return None,
            _ if !call.user.as_deref().is_some_and(is_manager) => (false, NOT_A_MANAGER),
            Self::Managers => return None,
            Self::Monitors => (call.is_monitor(), "Not monitor user"),
            Self::Administrators => (call.is_administrator(), "Not administrator user"),
            Self::OfHost => (
                call.is_administrator() || enters(call),
                "User not authorised to access virtual host",
            ),
            Self::ViewersOfHost => {
                (call.is_monitor() || enters(call), "User not authorised to access virtual host")
            }
            Self::PolicymakersOfHost => (
                call.is_administrator() || call.is_policymaker() && enters(call),
                "User not authorised to access object",
            ),
            Self::Policymakers => (call.is_policymaker(), "User not authorised to access object"),
        };
        (!may).then_some(reason)
    }
}

/// Whether the user has permissions in the virtual host; of one that does not exist, and of none,
/// there is nothing to keep from anybody.
fn enters(call: &Call) -> bool {
    match call.host() {
        Host::Any | Host::Missing => true,
        Host::One(host) => call.may_enter(host.name().as_str()),
    }
}
