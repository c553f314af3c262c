//! What people see in a browser: the page, the reference of the API, and where old addresses have
//! moved. The page is built of the sources in `ui/`, and its files are in `built/`.

mod asset;
mod built;
mod cli;
mod files;
pub(super) mod reference;

use hyper::StatusCode;
use hyper::header::LOCATION;

use crate::management::answer::{Answer, Outcome};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::rights::Who::Anyone;

const HTML: &str = "text/html";

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("", Anyone, files::index, "The page.").answering(HTML),
    get("index.html", Anyone, files::index, "The page.").answering(HTML),
    get("assets/{file}", Anyone, files::file, "A file of the page.").answering("*/*"),
    get("api", Anyone, to_reference, "Leads to the reference.").answering(HTML),
    get("api/index.html", Anyone, show_reference, "The reference of the API.").answering(HTML),
    get("stats", Anyone, to_reference, "Leads to the reference.").answering(HTML),
    get("doc/stats.html", Anyone, to_reference, "Leads to the reference.").answering(HTML),
    get("cli", Anyone, to_cli, "Leads to what is there for the command line.").answering(HTML),
    get("cli/index.html", Anyone, cli::index, "What is there for the command line.")
        .answering(HTML),
    get("cli/rabbitmqadmin", Anyone, cli::rabbitmqadmin, "A program.").answering(cli::OCTETS),
    get("mgmt", Anyone, to_start, "Leads to the start page.").answering(HTML),
];

fn show_reference(call: &Call) -> Outcome {
    Ok(Answer::text(HTML, call.manager.reference.clone()))
}

fn moved(location: &str) -> Outcome {
    Ok(Answer::empty(StatusCode::MOVED_PERMANENTLY).header(LOCATION, location))
}

fn to_reference(_: &Call) -> Outcome {
    moved("/api/index.html")
}

fn to_cli(_: &Call) -> Outcome {
    moved("/cli/index.html")
}

fn to_start(_: &Call) -> Outcome {
    moved("/")
}
