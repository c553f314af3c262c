//! Definitions: everything that was declared, in one document, out and in
//! `[rabbitmq definitions]`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use hyper::body::Bytes;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use multer::Multipart;
use serde::Serialize;

use crate::base::names::UserName;
use crate::definitions::{Definitions, DefinitionsError, JsonObject, RefusedObject};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::limits;
use crate::management::call::Call;
use crate::management::endpoint::{Accepts, Endpoint, get, post};
use crate::management::rights::Who::Administrators;
use crate::management::version;
use crate::node::export::{export, export_virtual_host, metadata_of};
use crate::node::import::{ImportError, Importing, import};
use crate::vhost::VirtualHost;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/definitions", Administrators, export_all, "All definitions; ?download=file.json."),
    post("api/definitions", Administrators, import_all, "Adds what the definitions hold.")
        .taking(Accepts::Definitions),
    get("api/all-configuration", Administrators, export_all, "The same, by its old name."),
    post("api/all-configuration", Administrators, import_all, "The same, by its old name.")
        .taking(Accepts::Definitions),
    get("api/definitions/{vhost}", Administrators, export_host, "Those of a virtual host."),
    post("api/definitions/{vhost}", Administrators, import_host, "Adds them to a virtual host.")
        .taking(Accepts::Definitions),
];

/// What comes before the objects, by the names that RabbitMQ has for it.
#[derive(Serialize)]
struct Head<'a> {
    rabbit_version: &'static str,
    rabbitmq_version: &'static str,
    product_name: &'static str,
    product_version: &'static str,
    rabbitmq_definition_format: &'static str,
    explanation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_cluster_name: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    host: Option<HostHead<'a>>,
}

#[derive(Serialize)]
struct HostHead<'a> {
    original_vhost_name: &'a str,
    description: String,
    default_queue_type: String,
    metadata: JsonObject,
    limits: JsonObject,
}

impl Head<'_> {
    fn new(format: &'static str, explanation: String) -> Self {
        Self {
            rabbit_version: version::COMPATIBLE,
            rabbitmq_version: version::COMPATIBLE,
            product_name: version::PRODUCT,
            product_version: version::COMPATIBLE,
            rabbitmq_definition_format: format,
            explanation,
            original_cluster_name: None,
            host: None,
        }
    }
}

/// The document of the whole broker.
#[derive(Serialize)]
struct All<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    definitions: Definitions,
}

/// The document of one virtual host: the sections that it has.
#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    parameters: &'a [crate::definitions::ParameterDefinition],
    policies: &'a [crate::definitions::PolicyDefinition],
    queues: &'a [crate::definitions::QueueDefinition],
    exchanges: &'a [crate::definitions::ExchangeDefinition],
    bindings: &'a [crate::definitions::BindingDefinition],
}

fn answer(call: &Call, document: &impl Serialize) -> Outcome {
    let answer = Answer::json(document);
    Ok(match call.query.get("download") {
        None => answer,
        Some(name) => {
            let name = name.replace(['\r', '\n'], "");
            answer.header(CONTENT_DISPOSITION, &format!("attachment; filename={name}"))
        }
    })
}

fn export_all(call: &Call) -> Outcome {
    let name = call.node().cluster_name();
    let explanation = format!("Definitions of cluster '{name}'");
    let head = Head { original_cluster_name: Some(name), ..Head::new("cluster", explanation) };
    answer(call, &All { head, definitions: export(call.node()) })
}

fn export_host(call: &Call) -> Outcome {
    let host = call.node().virtual_host(call.name("vhost"));
    let host = host.ok_or_else(|| Refusal::bad("vhost_not_found"))?;
    let definitions = export_virtual_host(call.node(), &host);
    let explanation = format!("Definitions of virtual host '{}'", host.name());
    let head =
        Head { host: Some(host_head(&host)), ..Head::new("single_virtual_host", explanation) };
    let Definitions { parameters, policies, queues, exchanges, bindings, .. } = &definitions;
    answer(call, &One { head, parameters, policies, queues, exchanges, bindings })
}

fn host_head(host: &VirtualHost) -> HostHead<'_> {
    let metadata = metadata_of(host);
    let text = |name: &str| {
        let value = metadata.get(name).and_then(serde_json::Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    HostHead {
        original_vhost_name: host.name().as_str(),
        description: text("description"),
        default_queue_type: text("default_queue_type"),
        limits: limits::render(host.limits()),
        metadata,
    }
}

fn import_all(call: &Call) -> Outcome {
    let (definitions, malformed) = read(call)?;
    take_in(call, &definitions, malformed)
}

/// What a virtual host's document says of users and others is nothing to it.
fn import_host(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let (read, malformed) = read(call)?;
    let mut definitions = Definitions {
        parameters: read.parameters,
        policies: read.policies,
        queues: read.queues,
        exchanges: read.exchanges,
        bindings: read.bindings,
        ..Definitions::default()
    };
    definitions.put_into_virtual_host(host.name().as_str());
    take_in(call, &definitions, malformed)
}

/// Makes what can be made; the answer tells of everything else.
fn take_in(call: &Call, definitions: &Definitions, malformed: Vec<RefusedObject>) -> Outcome {
    let user = Some(UserName::from(call.user_name()));
    let importing = Importing { user, as_rabbitmq: true };
    let mut refused = malformed;
    refused.extend(import(definitions, call.node(), &importing));
    call.durable()?;
    if refused.is_empty() {
        return Ok(Answer::done());
    }
    Err(Refusal::bad(ImportError::Refused(refused).to_string()))
}

/// The definitions of the body, which may be the file of a form, and what is malformed in them.
fn read(call: &Call) -> Outcome<(Definitions, Vec<RefusedObject>)> {
    let content_type = call.header(CONTENT_TYPE).unwrap_or_default();
    let form = match multer::parse_boundary(content_type) {
        Ok(boundary) => Some(file(call.body.clone(), &boundary)?),
        Err(_) => None,
    };
    let octets = form.as_ref().unwrap_or(&call.body);
    if octets.is_empty() {
        return Ok(Default::default());
    }
    Definitions::from_json_in_part(octets).map_err(|error| match error {
        DefinitionsError::Shape { .. } => Refusal::bad("failed_to_parse_json"),
        other => Refusal::bad(other.to_string()),
    })
}

/// A body that is there already.
struct Whole(Option<Bytes>);

impl Stream for Whole {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

/// The field `file` of a form.
fn file(body: Bytes, boundary: &str) -> Outcome<Bytes> {
    let refused = |error: multer::Error| Refusal::bad(error.to_string());
    let find = async {
        let mut form = Multipart::new(Whole(Some(body)), boundary);
        while let Some(field) = form.next_field().await? {
            if field.name() == Some("file") {
                return field.bytes().await.map(Some);
            }
        }
        Ok(None)
    };
    let found = tokio::runtime::Handle::current().block_on(find).map_err(refused)?;
    found.ok_or_else(|| Refusal::bad("the form has no file"))
}
