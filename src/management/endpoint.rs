//! What can be called: a method, an address, who may, and the function that answers.

use hyper::Method;

use crate::definitions::DEFINITIONS_BYTES_MAX;
use crate::management::answer::Outcome;
use crate::management::call::Call;
use crate::management::rights::Who;
use crate::management::settings::HttpSettings;

/// What an endpoint does with its resource. HEAD goes with GET, OPTIONS with all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Reads it.
    Get,
    /// Makes it or changes it.
    Put,
    /// Does something with it.
    Post,
    /// Deletes it.
    Delete,
}

impl Verb {
    /// The method that bears it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    /// Whether a method means it.
    pub(super) fn is(self, method: &Method) -> bool {
        method.as_str() == self.as_str() || self == Self::Get && *method == Method::HEAD
    }
}

/// What body an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// Any or none.
    Any,
    /// One that says that it is JSON.
    Json,
    /// A form.
    Form,
    /// Definitions, which may be large, as JSON or as the file of a form.
    Definitions,
}

impl Accepts {
    /// The largest body.
    pub(super) fn bytes_max(self, settings: &HttpSettings) -> usize {
        /// A name and a password.
        const FORM_BYTES_MAX: usize = 64 << 10;
        match self {
            Self::Any | Self::Json => settings.body_bytes_max,
            Self::Form => FORM_BYTES_MAX,
            Self::Definitions => settings.body_bytes_max.max(DEFINITIONS_BYTES_MAX),
        }
    }
}

/// What a port may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// The HTTP API, and what people read in a browser.
    Api,
    /// Metrics.
    Metrics,
}

/// One thing that the API does.
pub(super) struct Endpoint {
    /// What it does.
    pub verb: Verb,
    /// Where it is, without the first slash, such as `api/queues/{vhost}`.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
    /// What it is for, as the reference page says it.
    pub about: &'static str,
    pub(super) run: fn(&Call) -> Outcome,
    pub(super) takes: Accepts,
    /// What it belongs to.
    pub(super) service: Service,
    /// Type of its answer.
    pub(super) answers: &'static str,
}

impl Endpoint {
    const fn new(
        verb: Verb,
        path: &'static str,
        who: Who,
        run: fn(&Call) -> Outcome,
        about: &'static str,
    ) -> Self {
        Self {
            verb,
            path,
            who,
            about,
            run,
            takes: Accepts::Any,
            service: Service::Api,
            answers: "application/json",
        }
    }

    /// It takes nothing but such bodies.
    pub(super) const fn taking(mut self, takes: Accepts) -> Self {
        self.takes = takes;
        self
    }

    /// It tells metrics.
    pub(super) const fn metrics(mut self) -> Self {
        self.service = Service::Metrics;
        self.answering("text/plain")
    }

    /// Its answer is of another type than JSON.
    pub(super) const fn answering(mut self, content_type: &'static str) -> Self {
        self.answers = content_type;
        self
    }
}

macro_rules! verbs {
    ($($verb:ident $kind:ident,)*) => {
        $(pub(super) const fn $verb(
            path: &'static str,
            who: Who,
            run: fn(&Call) -> Outcome,
            about: &'static str,
        ) -> Endpoint {
            Endpoint::new(Verb::$kind, path, who, run, about)
        })*
    };
}

verbs! {
    get Get,
    put Put,
    post Post,
    delete Delete,
}
