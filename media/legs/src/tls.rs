//! TLS to a TURN server whose public key is known beforehand.
//!
//! The pin (SHA-256 of the certificate's SubjectPublicKeyInfo) comes with the credential, from the
//! mailbox server, over Tor. So no certificate authority, name, date or system clock matters, and no
//! name is sent. No session is ever resumed: a ticket used on a second circuit would tie the two
//! together.
//!
//! ```text
//!                              record = header + explicit nonce + data + content type + tag
//!   TLS 1.3, every suite          474 =      5                   + 452 +            1 +  16
//!   TLS 1.2, ChaCha20-Poly1305    473 =      5                   + 452                +  16
//! ```
//!
//! TLS 1.3 is preferred and saves a round trip, but the coturn of Debian 12 (4.6.1) speaks nothing
//! above 1.2. There ChaCha20-Poly1305 alone is offered (RFC 7905): the AES suites of 1.2 send
//! eight bytes of nonce with every record.

use core::fmt;
use core::str::FromStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rtc_stun::crypto::{HashAlgorithm, default_provider};
use subtle::ConstantTimeEq;
use tacit_types::Reason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};

/// SHA-256 of a server's SubjectPublicKeyInfo (RFC 7469 §2.4). Written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpkiPin(pub [u8; 32]);

/// Why there is no secure stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The server's key is not the pinned one: it is another server, or somebody in between.
    #[error("the TURN server's key is not the one that the credential names")]
    WrongPin,
    /// The handshake failed otherwise.
    #[error("the TLS handshake with the TURN server failed")]
    Handshake(#[source] io::Error),
    /// The PEM text holds no certificate that can be read.
    #[error("there is no readable certificate in the PEM text")]
    Certificate,
    /// The text is not a pin.
    #[error("a pin is 64 hexadecimal digits")]
    Pin,
}

impl TlsError {
    /// The stable reason that the person is shown.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::WrongPin | Self::Handshake(_) => Reason::TurnUnreachable,
            Self::Certificate | Self::Pin => Reason::ConfigInvalid,
        }
    }
}

/// Secures a stream to the server with that key.
///
/// # Errors
///
/// [`TlsError::WrongPin`] or [`TlsError::Handshake`]. Not bounded in time.
pub async fn connect<S>(stream: S, pin: SpkiPin) -> Result<TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connector = TlsConnector::from(Arc::new(client_config(pin)?));
    // An address, so that no server name goes out; a constant one (TEST-NET-1), so that it says
    // nothing. The verifier ignores it.
    let name = ServerName::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    connector.connect(name, stream).await.map_err(classify)
}

fn client_config(pin: SpkiPin) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(provider());
    let verifier = PinVerifier {
        pin,
        algorithms: provider.signature_verification_algorithms,
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| TlsError::Handshake(io::Error::other(error)))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    config.require_ems = true;
    Ok(config)
}

/// Suites whose records add at most [`TLS_RECORD_OVERHEAD`](crate::limits::TLS_RECORD_OVERHEAD).
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| {
        let short_tls12 = [
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ];
        suite.tls13().is_some() || short_tls12.contains(&suite.suite())
    });
    provider
}

fn classify(error: io::Error) -> TlsError {
    let pin_failed = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<Error>())
        .is_some_and(|e| {
            matches!(
                e,
                Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
            )
        });
    if pin_failed {
        TlsError::WrongPin
    } else {
        TlsError::Handshake(error)
    }
}

/// Trusts one key and nothing else.
#[derive(Debug)]
struct PinVerifier {
    pin: SpkiPin,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = SpkiPin::of_certificate(end_entity)
            .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if bool::from(shown.0.ct_eq(&self.pin.0)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl SpkiPin {
    /// The pin of the first certificate in a PEM text, so that a mailbox server can announce it.
    ///
    /// # Errors
    ///
    /// [`TlsError::Certificate`] if there is none that can be read.
    pub fn of_pem(pem: &[u8]) -> Result<Self, TlsError> {
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| TlsError::Certificate)?;
        Self::of_certificate(&certificate).ok_or(TlsError::Certificate)
    }

    fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let spki = webpki::EndEntityCert::try_from(certificate)
            .ok()?
            .subject_public_key_info();
        let digest = default_provider()
            .ok()?
            .crypto()
            .hash(HashAlgorithm::Sha256, spki.as_ref())
            .ok()?;
        Some(Self(digest.try_into().ok()?))
    }
}

impl fmt::Display for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpkiPin[redacted]")
    }
}

impl FromStr for SpkiPin {
    type Err = TlsError;

    fn from_str(text: &str) -> Result<Self, TlsError> {
        let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
        let digits = digits.filter(|d| d.len() == 64).ok_or(TlsError::Pin)?;
        let mut pin = [0; 32];
        for (byte, pair) in pin.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(pair[0] * 16 + pair[1]).map_err(|_| TlsError::Pin)?;
        }
        Ok(Self(pin))
    }
}
