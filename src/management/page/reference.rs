//! The reference of the API, made of the table of its endpoints.

use std::fmt::Write as _;

use crate::management::endpoint::Endpoint;
use crate::management::rights::Who;

/// The page.
pub(crate) fn text(endpoints: impl Iterator<Item = &'static Endpoint>) -> String {
    let mut rows = String::new();
    for endpoint in endpoints.filter(|endpoint| endpoint.path.starts_with("api/")) {
        // Writing to a text does not fail.
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td><code>/{}</code></td><td>{}</td><td>{}</td></tr>",
            endpoint.verb.as_str(),
            endpoint.path,
            who(endpoint.who),
            endpoint.about.replace('&', "&amp;").replace('<', "&lt;"),
        );
    }
    include_str!("reference.html").replace("{rows}", &rows)
}

fn who(who: Who) -> &'static str {
    match who {
        Who::Anyone => "everybody",
        Who::Managers => "management",
        Who::Monitors => "monitoring",
        Who::Administrators => "administrator",
        Who::OfHost => "management, with permissions in the virtual host",
        Who::ViewersOfHost => "management with permissions in the virtual host, or monitoring",
        Who::PolicymakersOfHost => "policymaker, with permissions in the virtual host",
        Who::Policymakers => "policymaker",
    }
}
