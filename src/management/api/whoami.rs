//! Who is logged in.

use crate::management::answer::Outcome;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::object;
use crate::management::list::one;
use crate::management::rights::Who;

pub(crate) const ENDPOINTS: &[Endpoint] =
    &[get("api/whoami", Who::Managers, whoami, "Name and tags of the user who asks.")];

fn whoami(call: &Call) -> Outcome {
    let tags = call.user.iter().flat_map(|user| &user.tags);
    let tags: Vec<String> = tags.map(ToString::to_string).collect();
    one(call, object! { "name": call.user_name(), "tags": tags, "is_internal_user": true })
}
