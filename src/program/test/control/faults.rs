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

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

use super::input::{Body, Refusal};
use super::rule::Declaration;
use super::{Answer, Routes, Shared};
use leveret::faults::Rule;

pub fn routes() -> Routes {
    Router::new()
        .route("/faults", get(list).post(declare).delete(clear))
        .route("/faults/{id}", get(look).delete(remove))
        .route("/faults/{id}/release", post(release))
}

/// The rules that requests have declared, by their numbers.
#[derive(Default)]
pub struct Declared(Mutex<Rules>);

#[derive(Default)]
struct Rules {
    /// Numbers are not used again.
    last: u64,
    by_number: BTreeMap<u64, Rule>,
}

impl Declared {
    fn add(&self, rule: Rule) -> u64 {
        let mut rules = self.0.lock();
        rules.last += 1;
        let id = rules.last;
        rules.by_number.insert(id, rule);
        id
    }

    fn get(&self, id: &str) -> Answer<(u64, Rule)> {
        let rules = self.0.lock();
        let known = id.parse().ok().and_then(|id| Some((id, rules.by_number.get(&id)?.clone())));
        known.ok_or_else(|| {
            let known: Vec<_> = rules.by_number.keys().map(u64::to_string).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            Refusal::not_found(format!("there is no fault '{id}'; there are: {known}"))
        })
    }

    fn forget(&self, id: u64) {
        self.0.lock().by_number.remove(&id);
    }

    /// Takes all rules back.
    pub fn clear(&self) {
        let rules = std::mem::take(&mut self.0.lock().by_number);
        rules.values().for_each(Rule::remove);
    }
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
    let life = control.life();
    let rules = life.declared.0.lock();
    Json(rules.by_number.iter().map(|(&id, rule)| describe(id, rule)).collect())
}

async fn look(State(control): Shared, Path(id): Path<String>) -> Answer<Json<Fault>> {
    let (id, rule) = control.life().declared.get(&id)?;
    Ok(Json(describe(id, &rule)))
}

async fn remove(State(control): Shared, Path(id): Path<String>) -> Answer<Json<Fault>> {
    let (id, rule) = control.life().declared.get(&id)?;
    rule.remove();
    control.life().declared.forget(id);
    Ok(Json(describe(id, &rule)))
}

async fn clear(State(control): Shared) -> StatusCode {
    control.life().declared.clear();
    StatusCode::NO_CONTENT
}

async fn release(State(control): Shared, Path(id): Path<String>) -> Answer<Json<Value>> {
    let (_, rule) = control.life().declared.get(&id)?;
    Ok(Json(json!({ "released": rule.release() })))
}
