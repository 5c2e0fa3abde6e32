//! The pinned TLS stream: sizes on the wire, the pin, and what is not sent.
#![expect(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use common::{PATIENCE, coturn};
use tacit_legs::coturn::{CoturnOptions, SelfSigned, self_signed_certificate};
use tacit_legs::tls::{SpkiPin, TlsError, connect};
use tacit_legs::turn::channel_data;
use tacit_types::Reason;
use tacit_types::limits::PACKET_BYTES;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

/// Remembers the size of every write.
struct Counted<S> {
    stream: S,
    writes: Arc<Mutex<Vec<usize>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = written {
            self.writes.lock().unwrap().push(n);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Writes three packets as ChannelData and returns the sizes of what went out.
async fn record_sizes<S: AsyncRead + AsyncWrite + Unpin>(stream: S, pin: SpkiPin) -> Vec<usize> {
    let writes = Arc::new(Mutex::new(Vec::new()));
    let counted = Counted {
        stream,
        writes: Arc::clone(&writes),
    };
    let mut tls = tokio::time::timeout(PATIENCE, connect(counted, pin))
        .await
        .unwrap()
        .unwrap();
    writes.lock().unwrap().clear();
    for n in 0..3 {
        tls.write_all(&channel_data(0x4000, &[n; PACKET_BYTES]))
            .await
            .unwrap();
        tls.flush().await.unwrap();
    }
    writes.lock().unwrap().clone()
}

/// A TLS server that reads everything and reports the name that it was called by.
fn serve(
    certificate: &SelfSigned,
    version: &'static SupportedProtocolVersion,
) -> (DuplexStream, tokio::task::JoinHandle<Option<String>>) {
    let chain =
        vec![CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (client, server) = duplex(1 << 16);
    let served = tokio::spawn(async move {
        let mut tls = TlsAcceptor::from(Arc::new(config))
            .accept(server)
            .await
            .ok()?;
        let name = tls.get_ref().1.server_name().map(str::to_owned);
        let _ = tls.read_to_end(&mut Vec::new()).await;
        name
    });
    (client, served)
}

#[tokio::test]
async fn a_packet_is_one_record_of_474_bytes_or_473() {
    let certificate = self_signed_certificate().unwrap();
    for (version, size) in [(&TLS13, 474), (&TLS12, 473)] {
        let (stream, served) = serve(&certificate, version);
        assert_eq!(record_sizes(stream, certificate.pin).await, [size; 3]);
        assert_eq!(served.await.unwrap(), None, "no name is sent");
    }
}

#[tokio::test]
async fn a_packet_to_coturn_fits_a_cell() {
    let Some(coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let stream = TcpStream::connect(coturn.tls_addr()).await.unwrap();
    let sizes = record_sizes(stream, coturn.pin()).await;
    assert_eq!(sizes.len(), 3);
    assert!(
        sizes.iter().all(|size| (473..=474).contains(size)),
        "{sizes:?}"
    );
}

#[tokio::test]
async fn another_key_is_refused() {
    let certificate = self_signed_certificate().unwrap();
    let other = self_signed_certificate().unwrap();
    for version in [&TLS13, &TLS12] {
        let (stream, _served) = serve(&certificate, version);
        let error = connect(stream, other.pin).await.unwrap_err();
        assert!(matches!(error, TlsError::WrongPin), "{error:?}");
        assert_eq!(error.reason(), Reason::TurnUnreachable);
    }
}

#[tokio::test]
async fn coturn_with_another_key_is_refused() {
    let Some(coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let stream = TcpStream::connect(coturn.tls_addr()).await.unwrap();
    let error = connect(stream, self_signed_certificate().unwrap().pin)
        .await
        .unwrap_err();
    assert!(matches!(error, TlsError::WrongPin), "{error:?}");
}

#[tokio::test]
async fn something_that_is_not_tls_is_refused() {
    let (client, mut server) = duplex(1 << 16);
    server
        .write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        .await
        .unwrap();
    let error = connect(client, SpkiPin([0; 32])).await.unwrap_err();
    assert!(matches!(error, TlsError::Handshake(_)), "{error:?}");
}

/// A P-256 certificate made by `openssl req -x509`, and its pin by `openssl pkey -pubin -outform
/// der | sha256sum`.
const CERTIFICATE: &str = include_str!("data/openssl-certificate.pem");
const PIN: &str = include_str!("data/openssl-certificate.pin");

#[test]
fn the_pin_is_the_one_that_openssl_computes() {
    let pin = SpkiPin::of_pem(CERTIFICATE.as_bytes()).unwrap();
    assert_eq!(pin.to_string(), PIN.trim());
    assert_eq!(PIN.trim().parse::<SpkiPin>().unwrap(), pin);
}

#[test]
fn what_is_no_certificate_and_no_pin_is_refused() {
    for pem in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(
            matches!(SpkiPin::of_pem(pem.as_bytes()), Err(TlsError::Certificate)),
            "{pem}"
        );
    }
    for pin in ["", "00", &"g".repeat(64), &"0".repeat(65)] {
        assert!(pin.parse::<SpkiPin>().is_err(), "{pin}");
    }
}
