//! Which pages of other origins may call the API, and how those are kept out that would ride on a
//! browser's login.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HOST,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::{Method, Version};
use std::net::IpAddr;

use crate::management::answer::{Answer, Refusal};
use crate::management::settings::HttpSettings;
use hyper::StatusCode;

/// The origin of the page that makes the request, if it is one that may.
fn allowed_origin<'a>(settings: &HttpSettings, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
    let origin = headers.get(ORIGIN).filter(|origin| *origin != "null")?;
    let is_allowed = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
    settings.cors_allow_origins.iter().any(is_allowed).then_some(origin)
}

/// Tells the browser what a page of another origin may do, if it may anything.
pub(super) fn add_headers(
    settings: &HttpSettings,
    method: &Method,
    request: &HeaderMap,
    methods: &str,
    answer: &mut Answer,
) {
    let headers = &mut answer.headers;
    headers.append(VARY, HeaderValue::from_static("accept, accept-encoding, origin"));
    let Some(origin) = allowed_origin(settings, request) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if method == Method::OPTIONS {
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(settings.cors_max_age_s));
        if let Ok(methods) = HeaderValue::from_str(methods) {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(wanted) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
}

/// The host that a request is for: the one that its target names, or else the one header `Host`.
///
/// # Errors
/// If there are several of that header, or none where HTTP wants one.
pub(super) fn host(parts: &Parts) -> Result<&str, ()> {
    let mut told = parts.headers.get_all(HOST).iter();
    let (first, second) = (told.next(), told.next());
    if second.is_some() || (first.is_none() && parts.version > Version::HTTP_10) {
        return Err(());
    }
    let told = first.map_or(Ok(""), |host| host.to_str().map_err(|_| ()));
    parts.uri.authority().map_or(told, |authority| Ok(authority.as_str()))
}

/// Why a request is refused that a page has its visitor's browser make, if it may be such a one.
///
/// - What changes something and comes from a page of another origin: browsers add the login that
///   they remember, and ask first only about some of these requests.
/// - What comes over the loopback interface and calls this machine by a name that is not known to
///   be its own: the name of a page's server, which resolves to this machine now.
pub(super) fn refusal(
    settings: &HttpSettings,
    parts: &Parts,
    host: &str,
    peer: IpAddr,
) -> Option<Refusal> {
    let (method, headers) = (&parts.method, &parts.headers);
    let forbidden = |reason: String| Refusal::new(StatusCode::FORBIDDEN, "forbidden", reason);
    if peer.to_canonical().is_loopback() && !is_own_name(settings, host) {
        return Some(forbidden(format!(
            "'{}' is not known to be a name of this machine; if it is, add it to the setting \
             management.hosts",
            host_name(host)
        )));
    }
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = headers.get(ORIGIN).filter(|_| !is_safe)?;
    let text = origin.to_str().unwrap_or_default();
    let is_one = headers.get_all(ORIGIN).iter().nth(1).is_none();
    let is_same = text.split_once("://").is_some_and(|(_, authority)| authority == host);
    let may = is_one && (is_same || allowed_origin(settings, headers).is_some());
    (!may).then(|| {
        forbidden(format!(
            "pages of the origin '{text}' may not call the API; if they may, add it to the \
             setting management.cors_allow_origins"
        ))
    })
}

/// The name in a `Host` header, without the port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_own_name(settings: &HttpSettings, host: &str) -> bool {
    let name = host_name(host);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_name = |known: &str| name.eq_ignore_ascii_case(known);
    name.is_empty()
        || address.parse::<IpAddr>().is_ok()
        || is_name("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || settings.hosts.iter().any(|host| is_name(host))
        || is_name(&crate::base::host_name::host_name())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const AFAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn is_refused(method: Method, host: &str, origin: Option<&str>, peer: IpAddr) -> bool {
        let mut request = Request::builder().method(method).header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let settings = HttpSettings {
            hosts: vec!["mq.example".into()],
            cors_allow_origins: vec!["https://ops.example".into()],
            ..HttpSettings::default()
        };
        refusal(&settings, &parts, host, peer).is_some()
    }

    #[test]
    fn pages_of_other_origins_may_not_change_anything() {
        let post = |origin| is_refused(Method::POST, "10.0.0.9:15672", Some(origin), AFAR);
        assert!(post("https://evil.example"));
        assert!(post("null"));
        assert!(!post("http://10.0.0.9:15672"), "it is the same");
        assert!(!post("https://ops.example"), "it is allowed");
        let evil = Some("https://evil.example");
        assert!(
            !is_refused(Method::GET, "10.0.0.9:15672", evil, AFAR),
            "it cannot read the answer"
        );
        assert!(!is_refused(Method::DELETE, "mq:15672", None, AFAR), "it is no page");
    }

    #[test]
    fn this_machine_is_called_by_its_own_names_from_itself() {
        for own in
            ["localhost:1", "127.0.0.1:15672", "[::1]:15672", "a.localhost", "mq.example:80", ""]
        {
            assert!(!is_refused(Method::GET, own, None, HERE), "{own}");
        }
        assert!(is_refused(Method::GET, "evil.example:15672", None, HERE));
        assert!(!is_refused(Method::GET, "mq.internal:15672", None, AFAR));
    }
}
