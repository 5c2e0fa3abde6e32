//! Opening streams.

use std::net::SocketAddr;
use std::sync::PoisonError;

use arti_client::config::BoolOrAuto;
use arti_client::{
    DangerouslyIntoTorAddr as _, ErrorKind, HasKind as _, IntoTorAddr as _, StreamPrefs, TorAddr,
};
use tacit_types::{OnionKey, SecretBytes};
use tor_hscrypto::pk::{HsId, HsIdKey};
use tor_keymgr::KeystoreSelector;

use super::{Client, TorClient};
use crate::{
    DiscoveryKeypair, Isolation, Target, TorError, TorErrorKind, TorStream, address::onion_address,
    tor::stopped,
};

impl Client {
    pub(crate) async fn connect(
        &self,
        target: &Target,
        isolation: &Isolation,
    ) -> Result<TorStream, TorError> {
        let (tor, _) = self.tor()?;
        let mut prefs = StreamPrefs::new();
        prefs.set_isolation(isolation.arti);
        let (address, timeout) = match target {
            Target::Onion {
                key,
                port,
                discovery,
            } => {
                self.learn_discovery_key(&tor, *key, discovery.as_ref())?;
                prefs.connect_to_onion_services(BoolOrAuto::Explicit(true));
                (onion_target(*key, *port)?, self.0.config.onion_timeout)
            }
            Target::Exit { addr } => (exit_target(*addr)?, self.0.config.exit_timeout),
        };
        let mut stop = self.0.stop.subscribe();
        let stream = tokio::select! {
            outcome = tokio::time::timeout(timeout, tor.connect_with_prefs(address, &prefs)) => outcome,
            () = stopped(&mut stop) => return Err(TorError::new(TorErrorKind::Stopped)),
        };
        let stream = match stream {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return Err(explain(&tor, target, e.kind())),
            Err(_) => return Err(explain(&tor, target, ErrorKind::TorNetworkTimeout)),
        };
        Ok(TorStream::from_arti(stream, None))
    }

    /// Gives Arti the secret for a restricted service, once; a changed one replaces the old.
    fn learn_discovery_key(
        &self,
        tor: &TorClient,
        key: OnionKey,
        secret: Option<&SecretBytes<32>>,
    ) -> Result<(), TorError> {
        let Some(secret) = secret else { return Ok(()) };
        let pair = DiscoveryKeypair::from_secret(secret.clone());
        let internal =
            |e: arti_client::Error| TorError::with_detail(TorErrorKind::Internal, e.kind());
        let mut known = self
            .0
            .discovery
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.get(&key) == Some(&pair.public()) {
            return Ok(());
        }
        let id = HsId::from(key.0);
        if known.contains_key(&key) {
            tor.remove_service_discovery_key(KeystoreSelector::Primary, id)
                .map_err(internal)?;
        }
        tor.insert_service_discovery_key(KeystoreSelector::Primary, id, pair.to_arti())
            .map_err(internal)?;
        known.insert(key, pair.public());
        Ok(())
    }
}

fn onion_target(key: OnionKey, port: u16) -> Result<TorAddr, TorError> {
    let invalid = || TorError::new(TorErrorKind::OnionAddress);
    HsIdKey::try_from(HsId::from(key.0)).map_err(|_| invalid())?;
    (onion_address(key), port)
        .into_tor_addr()
        .map_err(|_| invalid())
}

fn exit_target(addr: SocketAddr) -> Result<TorAddr, TorError> {
    // The address is a TURN server's, from our configuration; no name was looked up for it.
    addr.into_tor_addr_dangerously()
        .map_err(|e| TorError::with_detail(TorErrorKind::Config, e.kind()))
}

/// Sorts Arti's error by what the caller can do.
fn explain(tor: &TorClient, target: &Target, kind: ErrorKind) -> TorError {
    let sorted = match kind {
        ErrorKind::ArtiShuttingDown | ErrorKind::ReactorShuttingDown => TorErrorKind::Stopped,
        ErrorKind::InvalidStreamTarget | ErrorKind::ForbiddenStreamTarget => TorErrorKind::Config,
        ErrorKind::DirectoryExpired
        | ErrorKind::TorAccessFailed
        | ErrorKind::LocalNetworkError
        | ErrorKind::BootstrapRequired => TorErrorKind::NetworkLost,
        _ if tor.bootstrap_status().blocked().is_some() => TorErrorKind::NetworkLost,
        _ if target.is_onion() => explain_onion(kind),
        _ => explain_exit(kind),
    };
    TorError::with_detail(sorted, kind)
}

fn explain_onion(kind: ErrorKind) -> TorErrorKind {
    match kind {
        ErrorKind::OnionServiceNotFound => TorErrorKind::OnionNotFound,
        ErrorKind::OnionServiceMissingClientAuth | ErrorKind::OnionServiceWrongClientAuth => {
            TorErrorKind::OnionDenied
        }
        ErrorKind::OnionServiceAddressInvalid => TorErrorKind::OnionAddress,
        // Arti 0.47 calls it a bug when a service closes the circuit instead of answering.
        _ => TorErrorKind::OnionUnreachable,
    }
}

fn explain_exit(kind: ErrorKind) -> TorErrorKind {
    match kind {
        ErrorKind::RemoteConnectionRefused
        | ErrorKind::RemoteNetworkFailed
        | ErrorKind::RemoteStreamClosed
        | ErrorKind::RemoteStreamReset
        // C tor's exits give no better reason for a refused connection.
        | ErrorKind::RemoteStreamError
        | ErrorKind::ExitPolicyRejected => TorErrorKind::ExitRefused,
        _ => TorErrorKind::ExitFailed,
    }
}
