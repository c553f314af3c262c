//! The table of all endpoints.

use crate::management::api;
use crate::management::endpoint::{Endpoint, Service};
use crate::management::metrics;
use crate::management::page;
use crate::management::path;

/// All of them, noun by noun. Of several paths that match a request the first one counts.
const TABLE: &[&[Endpoint]] = &[
    api::overview::ENDPOINTS,
    api::nodes::ENDPOINTS,
    api::whoami::ENDPOINTS,
    api::login::ENDPOINTS,
    api::connections::ENDPOINTS,
    api::channels::ENDPOINTS,
    api::consumers::ENDPOINTS,
    api::streams::ENDPOINTS,
    api::vhosts::ENDPOINTS,
    api::exchanges::ENDPOINTS,
    api::queues::ENDPOINTS,
    api::messages::ENDPOINTS,
    api::bindings::ENDPOINTS,
    api::policies::ENDPOINTS,
    api::parameters::ENDPOINTS,
    #[cfg(feature = "remote")]
    api::shovels::ENDPOINTS,
    #[cfg(feature = "remote")]
    api::federation::ENDPOINTS,
    api::limits::ENDPOINTS,
    api::definitions::ENDPOINTS,
    api::health::ENDPOINTS,
    api::features::ENDPOINTS,
    api::users::ENDPOINTS,
    api::permissions::ENDPOINTS,
    api::topic_permissions::ENDPOINTS,
    api::own::looking::ENDPOINTS,
    api::own::holding::ENDPOINTS,
    api::own::moving::ENDPOINTS,
    api::own::delayed::ENDPOINTS,
    api::own::event_exchange::ENDPOINTS,
    api::own::explain::ENDPOINTS,
    api::own::offsets::ENDPOINTS,
    api::own::super_streams::ENDPOINTS,
    api::own::watermarks::ENDPOINTS,
    api::own::server::ENDPOINTS,
    api::own::live::ENDPOINTS,
    api::own::history::ENDPOINTS,
    api::own::testing::ENDPOINTS,
    api::own::journal::ENDPOINTS,
    page::ENDPOINTS,
    metrics::ENDPOINTS,
];

/// All endpoints.
pub(super) fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    TABLE.iter().flat_map(|noun| noun.iter())
}

/// What the names in the path of a resource stand for.
pub(super) type Names = Vec<(&'static str, String)>;

/// What the names in the path of a resource stand for, and its endpoints. `is_served` tells what
/// the port has.
pub(super) fn resource(
    path: &[String],
    is_served: impl Fn(Service) -> bool,
) -> Option<(Names, Vec<&'static Endpoint>)> {
    let mut all = endpoints().filter(|endpoint| is_served(endpoint.service));
    let (pattern, names) =
        all.find_map(|endpoint| Some((endpoint.path, path::matches(endpoint.path, path)?)))?;
    let of_resource = endpoints().filter(|endpoint| endpoint.path == pattern);
    Some((names, of_resource.collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_endpoint_hides_another() {
        let mut known = HashSet::new();
        for endpoint in endpoints() {
            assert!(known.insert((endpoint.verb.as_str(), endpoint.path)), "{}", endpoint.path);
            let sample: Vec<String> = endpoint
                .path
                .split('/')
                .map(|part| if part.starts_with('{') { "sample" } else { part }.to_owned())
                .collect();
            let (_, found) = resource(&sample, |_| true).unwrap();
            assert_eq!(found[0].path, endpoint.path, "another path matches the same requests");
        }
    }

    #[test]
    fn each_endpoint_says_what_it_is_for() {
        for endpoint in endpoints() {
            assert!(endpoint.about.ends_with('.'), "{}", endpoint.path);
        }
    }
}
