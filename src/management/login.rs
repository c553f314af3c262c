//! Who makes a request: Basic authentication.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::access::{LoginRefusal, User};
use crate::management::answer::{Answer, Refusal};
use crate::management::manager::Manager;
use crate::node::login_attempts::LoginProtocol;
use std::net::IpAddr;

const REALM: HeaderValue = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");

/// What a request brings to log in with.
pub(super) enum Credentials {
    /// A name and a password.
    Basic(String, String),
    /// A token, which is for nothing here.
    Token,
}

/// Why nobody is logged in.
pub(super) enum NoLogin {
    /// The header cannot be read.
    Malformed,
    /// There is none, or none of a kind that is known.
    Missing,
    /// They are wrong.
    Refused,
    /// The user may log in from this machine only.
    FromAfar,
}

impl NoLogin {
    /// The answer that tells it.
    pub(super) fn into_answer(self) -> Answer {
        match self {
            Self::Malformed => Answer::empty(StatusCode::BAD_REQUEST),
            Self::Missing => {
                let mut answer = Answer::empty(StatusCode::UNAUTHORIZED);
                answer.headers.insert(WWW_AUTHENTICATE, REALM);
                answer
            }
            Self::Refused => {
                let status = StatusCode::UNAUTHORIZED;
                Refusal::new(status, "not_authorized", "Not_Authorized").into_answer()
            }
            Self::FromAfar => {
                Refusal::not_authorised("User can only log in via localhost").into_answer()
            }
        }
    }
}

/// Reads the header `Authorization`.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Credentials, NoLogin> {
    let value = headers.get(AUTHORIZATION).ok_or(NoLogin::Missing)?;
    let value = value.to_str().map_err(|_| NoLogin::Malformed)?;
    let (scheme, rest) = value.split_once(' ').ok_or(NoLogin::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Token);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(NoLogin::Missing);
    }
    let octets = STANDARD.decode(rest.trim()).map_err(|_| NoLogin::Malformed)?;
    let text = String::from_utf8(octets).map_err(|_| NoLogin::Malformed)?;
    let (name, password) = text.split_once(':').ok_or(NoLogin::Malformed)?;
    Ok(Credentials::Basic(name.to_owned(), password.to_owned()))
}

impl Manager {
    /// The user whose name and password these are. What fails is counted, and answered late if it
    /// fails often.
    pub(super) async fn log_in(
        &self,
        credentials: Credentials,
        peer: IpAddr,
    ) -> Result<Arc<User>, NoLogin> {
        let refused = match credentials {
            Credentials::Token => NoLogin::Refused,
            Credentials::Basic(name, password) => {
                let users = &self.node.access.users;
                match users.authenticate(&name, &password, peer.to_canonical().is_loopback()) {
                    Ok(user) => return Ok(user),
                    Err(refusal) => {
                        tracing::warn!(%peer, "HTTP access denied: {refusal}");
                        match refusal {
                            LoginRefusal::OnlyLoopback(_) => NoLogin::FromAfar,
                            _ => NoLogin::Refused,
                        }
                    }
                }
            }
        };
        self.node.login_attempts.note(LoginProtocol::Http, false);
        let wait = self.throttle.note_failure(peer.to_canonical(), self.clock.now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Err(refused)
    }
}
