//! Names and dates in certificates.

use std::net::IpAddr;

use x509_cert::Certificate as X509;
use x509_cert::der::{Decode, Error};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::error::TlsError;
use super::pem::Text;
use super::settings::{LoginFrom, NameType};
use crate::node::certificates::Certificate;
use crate::node::status::PeerCertificate;
use crate::time::clock::Timestamp;

/// What others are told of a certificate that is shown, or that counts for clients.
pub(super) fn shown(text: &Text, der: &[u8], is_authority: bool) -> Result<Certificate, TlsError> {
    let certificate = X509::from_der(der).map_err(|error| text.refused(error))?;
    let tbs = certificate.tbs_certificate();
    let until = tbs.validity().not_after.to_unix_duration();
    Ok(Certificate {
        file: text.name.clone(),
        subject: tbs.subject().to_string(),
        expires_at: Timestamp::from_millis(u64::try_from(until.as_millis()).unwrap_or(u64::MAX)),
        is_authority,
    })
}

/// The hosts that a certificate is for: names that may begin with `*.`.
pub(super) fn hosts(der: &[u8]) -> Vec<String> {
    X509::from_der(der)
        .map(|certificate| alternative_names(&certificate, NameType::Dns))
        .unwrap_or_default()
}

/// What others are told of a client's certificate.
pub(super) fn of_peer(der: &[u8], login_from: LoginFrom) -> Result<PeerCertificate, Error> {
    let certificate = X509::from_der(der)?;
    let tbs = certificate.tbs_certificate();
    let validity = tbs.validity();
    let (from, until) = (validity.not_before.to_date_time(), validity.not_after.to_date_time());
    let login = match login_from {
        LoginFrom::DistinguishedName => Some(tbs.subject().to_string()),
        LoginFrom::CommonName => common_name(&certificate),
        LoginFrom::AlternativeName { name_type, index } => {
            alternative_names(&certificate, name_type).into_iter().nth(index)
        }
    };
    Ok(PeerCertificate {
        subject: tbs.subject().to_string(),
        issuer: tbs.issuer().to_string(),
        validity: format!("{from} - {until}"),
        login: login.filter(|name| !name.is_empty()),
    })
}

fn common_name(certificate: &X509) -> Option<String> {
    let name = certificate.tbs_certificate().subject().common_name().ok()??;
    Some(name.value().into_owned())
}

fn alternative_names(certificate: &X509, name_type: NameType) -> Vec<String> {
    let found = certificate.tbs_certificate().get_extension::<SubjectAltName>();
    let Ok(Some((_, names))) = found else { return Vec::new() };
    names.0.iter().filter_map(|name| named(name, name_type)).collect()
}

fn named(name: &GeneralName, name_type: NameType) -> Option<String> {
    match (name, name_type) {
        (GeneralName::DnsName(name), NameType::Dns)
        | (GeneralName::Rfc822Name(name), NameType::Email)
        | (GeneralName::UniformResourceIdentifier(name), NameType::Uri) => Some(name.to_string()),
        (GeneralName::IpAddress(octets), NameType::Ip) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
