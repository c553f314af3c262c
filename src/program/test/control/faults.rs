//! What is to go wrong.
//!
//! ```text
//! POST   /faults                declares a rule; answers as GET /faults/{id}
//! GET    /faults                a list of all rules in force
//! GET    /faults/{id}           {"id", "text", "seen", "fired"}
//! POST   /faults/{id}/release   lets go of what it holds back; answers {"released": N}
//! DELETE /faults/{id}           takes it back; answers as GET /faults/{id}
//! DELETE /faults                takes all back
//! ```

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::call::{Routes, Shared};
use super::input::{Answer, Body, Refusal};
use super::rule::Declaration;
use crate::program::test::lives::Life;
use leveret::faults::Rule;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/faults", get(list).post(declare).delete(clear))
        .route("/faults/{id}", get(look).delete(remove))
        .route("/faults/{id}/release", post(release))
}

#[derive(Serialize)]
struct Fault {
    id: u64,
    text: String,
    seen: usize,
    fired: usize,
}

fn describe(id: u64, rule: &Rule) -> Fault {
    Fault { id, text: rule.to_string(), seen: rule.seen(), fired: rule.fired() }
}

async fn declare(
    State(control): Shared,
    Body(declaration): Body<Declaration>,
) -> Answer<(StatusCode, Json<Fault>)> {
    let rule = declaration.declare(&control.life().broker.faults())?;
    let id = control.life().declared.add(rule.clone());
    Ok((StatusCode::CREATED, Json(describe(id, &rule))))
}

async fn list(State(control): Shared) -> Json<Vec<Fault>> {
    let rules = control.life().declared.all();
    Json(rules.iter().map(|(id, rule)| describe(*id, rule)).collect())
}

async fn look(State(control): Shared, Path(id): Path<String>) -> Answer<Json<Fault>> {
    let (id, rule) = known(&control.life(), &id)?;
    Ok(Json(describe(id, &rule)))
}

async fn remove(State(control): Shared, Path(id): Path<String>) -> Answer<Json<Fault>> {
    let (id, rule) = known(&control.life(), &id)?;
    rule.remove();
    control.life().declared.forget(id);
    Ok(Json(describe(id, &rule)))
}

async fn clear(State(control): Shared) -> StatusCode {
    control.life().take_back();
    StatusCode::NO_CONTENT
}

async fn release(State(control): Shared, Path(id): Path<String>) -> Answer<Json<Value>> {
    let (_, rule) = known(&control.life(), &id)?;
    Ok(Json(json!({ "released": rule.release() })))
}

fn known(life: &Life, id: &str) -> Answer<(u64, Rule)> {
    life.declared.get(id).ok_or_else(|| {
        let ids: Vec<_> = life.declared.all().iter().map(|(id, _)| id.to_string()).collect();
        let ids = if ids.is_empty() { "none".into() } else { ids.join(", ") };
        Refusal::not_found(format!("there is no fault '{id}'; there are: {ids}"))
    })
}
