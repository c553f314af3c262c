//! Certificates for tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::Tls;
use super::error::TlsError;
use super::settings::{Pem, TlsSettings};

/// An authority of its own, and what it has signed: for tests, since nobody else trusts it.
///
/// ```
/// use leveret::Broker;
/// use leveret::tls::{Tls, TestCertificates};
///
/// let certificates = TestCertificates::new()?;
/// let tls = Tls::open(certificates.server_settings()?)?;
/// let address = Broker::new().listen_tls("127.0.0.1:0", &tls)?;
/// println!("at {address}, trust {}", certificates.authority());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestCertificates {
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, in the format PEM.
#[derive(Clone)]
pub struct TestCertificate {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for TestCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestCertificates").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TestCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestCertificate").finish_non_exhaustive()
    }
}

impl TestCertificates {
    /// A new authority.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> Result<Self, TlsError> {
        let mut params = named("leveret tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed)?;
        Ok(Self { authority: CertifiedIssuer::self_signed(params, key).map_err(failed)? })
    }

    /// The authority's certificate, which clients have to trust, in the format PEM.
    pub fn authority(&self) -> String {
        self.authority.pem()
    }

    /// A certificate for servers of these host names and addresses.
    ///
    /// # Errors
    /// When one is none, or the system has no random numbers.
    pub fn server(&self, hosts: &[&str]) -> Result<TestCertificate, TlsError> {
        self.signed("localhost", hosts, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client whose common name is this; its distinguished name is `CN=name`.
    /// It has the same as a host name beside it.
    ///
    /// # Errors
    /// When it cannot be a host name, or the system has no random numbers.
    pub fn client(&self, name: &str) -> Result<TestCertificate, TlsError> {
        self.signed(name, &[name], ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Settings of a server on this machine, which does not ask clients for certificates but
    /// knows this authority, so that [`TlsSettings::verify`] can be set.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn server_settings(&self) -> Result<TlsSettings, TlsError> {
        let server = self.server(&["localhost", "127.0.0.1", "::1"])?;
        let mut settings = TlsSettings::new(Pem::Text(server.certificate), Pem::Text(server.key));
        settings.ca = Some(Pem::Text(self.authority()));
        Ok(settings)
    }

    fn signed(
        &self,
        name: &str,
        hosts: &[&str],
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<TestCertificate, TlsError> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).map_err(failed)?;
        let base = named(name);
        params.distinguished_name = base.distinguished_name;
        (params.not_before, params.not_after) = (base.not_before, base.not_after);
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.authority).map_err(failed)?;
        Ok(TestCertificate { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

impl Tls {
    /// For a test: with a new certificate for this machine, which nobody trusts but who is told
    /// to. [`TestCertificates`] is for tests in which clients check it.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn for_tests() -> Result<Self, TlsError> {
        Self::open(TestCertificates::new()?.server_settings()?)
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params
}

fn failed(error: rcgen::Error) -> TlsError {
    TlsError::Settings(format!("no certificate could be made: {error}"))
}
