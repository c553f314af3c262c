//! Parameters, global parameters, and the name of the cluster.

use serde_json::{Value, json};

use super::columns;
use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, part};

/// Commands about parameters.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum ParametersCommand {
    /// Sets a parameter of a component in the virtual host; the value is JSON
    SetParameter { component_name: String, name: String, value: String },
    /// Removes a parameter
    ClearParameter { component_name: String, name: String },
    /// Lists parameters of the virtual host
    ListParameters,
    /// Sets a global parameter; the value is JSON
    SetGlobalParameter { name: String, value: String },
    /// Removes a global parameter
    ClearGlobalParameter { name: String },
    /// Lists global parameters
    ListGlobalParameters,
    /// Names the cluster
    SetClusterName { name: String },
}

/// Reads JSON that was given.
pub(super) fn json(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|reason| {
        Failure::new(failure::UNAVAILABLE, format!("JSON decoding error. Reason: {reason}"))
    })
}

pub(super) fn removed(is_removed: bool) -> Result<Said, Failure> {
    match is_removed {
        true => Ok(Said::Nothing),
        false => Err(Failure::new(failure::UNAVAILABLE, "Parameter does not exist")),
    }
}

/// Values are texts in lists, whatever the format.
fn written(found: &mut [Value]) {
    for value in found.iter_mut().filter_map(|parameter| parameter.get_mut("value")) {
        *value = Value::String(value.to_string());
    }
}

/// Does it.
pub(super) fn run(session: &Session, command: &ParametersCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    let place = |component: &str, name: &str| {
        format!("/api/parameters/{}/{host}/{}", part(component), part(name))
    };
    match command {
        ParametersCommand::SetParameter { component_name, name, value } => {
            session.tell(format!(
                "Setting runtime parameter \"{name}\" for component \"{component_name}\" to \
                 \"{value}\" in vhost \"{vhost}\" ..."
            ));
            let body = json!({ "value": json(value)? });
            session.put(&place(component_name, name), &body).map(|_| Said::Nothing)
        }
        ParametersCommand::ClearParameter { component_name, name } => {
            session.tell(format!(
                "Clearing runtime parameter \"{name}\" for component \"{component_name}\" on \
                 vhost \"{vhost}\" ..."
            ));
            removed(session.delete(&place(component_name, name))?)
        }
        ParametersCommand::ListParameters => {
            session.tell(format!("Listing runtime parameters for vhost \"{vhost}\" ..."));
            let mut found = session.list("/api/parameters")?;
            let of_host = |one: &Value| one.get("vhost").and_then(Value::as_str) == Some(vhost);
            found.retain(of_host);
            written(&mut found);
            let columns = ["component", "name", "value"].map(str::to_owned).to_vec();
            Ok(columns::said(columns, &found, false))
        }
        ParametersCommand::SetGlobalParameter { name, value } => {
            session.tell(format!("Setting global runtime parameter \"{name}\" to \"{value}\" ..."));
            let body = json!({ "value": json(value)? });
            session.put(&format!("/api/global-parameters/{}", part(name)), &body)?;
            Ok(Said::Nothing)
        }
        ParametersCommand::ClearGlobalParameter { name } => {
            session.tell(format!("Clearing global runtime parameter \"{name}\" ..."));
            removed(session.delete(&format!("/api/global-parameters/{}", part(name)))?)
        }
        ParametersCommand::ListGlobalParameters => {
            session.tell("Listing global runtime parameters ...");
            let mut found = session.list("/api/global-parameters")?;
            written(&mut found);
            let columns = ["name", "value"].map(str::to_owned).to_vec();
            Ok(columns::said(columns, &found, false))
        }
        ParametersCommand::SetClusterName { name } => {
            session.tell(format!("Setting cluster name to {name} ..."));
            session.put("/api/cluster-name", &json!({ "name": name })).map(|_| Said::Nothing)
        }
    }
}
