//! What is there before a test begins: virtual hosts, and the definitions of another broker.
//!
//! ```text
//! PUT  /vhosts/{name}   adds a virtual host in which the default user may do everything
//! POST /definitions     RabbitMQ's definitions: what is in them is added
//! ```

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde_json::Value;

use super::call::{Routes, Shared, aside};
use super::input::{Answer, Body, Refusal};
use crate::program::definitions::misspelt;
use crate::program::test::definitions::adapt;
use leveret::ImportError;
use leveret::definitions::{Definitions, DefinitionsError};

/// The longest name that connection.open can carry, in octets.
const NAME_BYTES_MAX: usize = 255;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/vhosts/{name}", put(add_virtual_host))
        .route("/definitions", post(import_definitions))
}

async fn add_virtual_host(State(control): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Refusal::bad("the name of a virtual host has at most 255 octets"));
    }
    let life = control.life();
    aside(move || life.broker.add_virtual_host(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn import_definitions(
    State(control): Shared,
    Body(document): Body<Value>,
) -> Answer<StatusCode> {
    let bad = |error: DefinitionsError| Refusal::bad(error.to_string());
    let document = document.to_string();
    let read = Definitions::from_json_in_part(document.as_bytes());
    let (definitions, mut refused) = read.map_err(bad)?;
    refused.extend(misspelt(document.as_bytes()));
    let life = control.life();
    let imported = aside(move || {
        let definitions = adapt(definitions, &life.broker);
        life.broker.import(&definitions)
    });
    match imported.await? {
        Ok(()) => {}
        Err(ImportError::Refused(more)) => refused.extend(more),
        Err(error) => return Err(Refusal::bad(error.to_string())),
    }
    if refused.is_empty() {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::bad(ImportError::Refused(refused).to_string()))
}
