//! Whom a connection trusts, and who it is: certificates and keys in PEM, as a kubeconfig has them.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::TransportError;

/// A client's certificate and key, in PEM.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// Its certificate, and those between it and the authority.
    pub certificate_pem: &'a [u8],
    /// Its key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key_pem: &'a [u8],
}

/// Trust servers whose certificate comes from `authority_pem`, and be `identity`, if any.
///
/// # Errors
/// `Tls` where a certificate or key can't be read or used.
pub fn config(authority_pem: &[u8], identity: Option<Identity<'_>>) -> Result<Arc<ClientConfig>, TransportError> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority_pem, "the authority's certificate")? {
        roots.add(certificate)?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| TransportError::Tls(error.to_string().into()))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_webpki_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key =
                PrivateKeyDer::from_pem_slice(identity.key_pem).map_err(|error| unread("the client's key", error))?;
            builder.with_client_auth_cert(certificates(identity.certificate_pem, "the client's certificate")?, key)?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8], whose: &str) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| unread(whose, error))
}

fn unread(what: &str, error: impl std::fmt::Debug) -> TransportError {
    TransportError::Tls(format!("{what} can't be read: {error:?}").into())
}
