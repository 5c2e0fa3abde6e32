//! A coturn of one's own on this machine, for tests and the demo: started with a configuration in a
//! temporary folder, stopped when dropped or when this process is gone.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_core::{OsRng, RngCore};
use rtc_stun::crypto::{HmacAlgorithm, default_provider};
use tempfile::TempDir;

use crate::leash::Leash;
use crate::tls::SpkiPin;
use crate::turn::TurnCredentials;

/// Debian's name of the program.
const PROGRAM: &str = "turnserver";

/// Time that coturn gets to open its listeners.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Pause between two attempts to connect while it starts.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What kind of coturn to start.
#[derive(Clone, Copy, Debug)]
pub struct CoturnOptions {
    /// Address of its listeners and of its relayed addresses.
    pub ip: IpAddr,
    /// Allocations that one credential may have at once.
    pub user_quota: u16,
    /// Relayed ports, so allocations at most.
    pub relay_ports: u16,
    /// How long a nonce lives; coturn's own default is 600 s.
    pub stale_nonce: Duration,
}

impl Default for CoturnOptions {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            user_quota: 1,
            relay_ports: 200,
            stale_nonce: Duration::from_secs(600),
        }
    }
}

/// A running coturn.
pub struct Coturn {
    /// Let go of before the child is waited for.
    leash: Option<Leash>,
    child: Child,
    folder: TempDir,
    plain: SocketAddr,
    tls: SocketAddr,
    pin: SpkiPin,
    secret: String,
}

impl Coturn {
    /// Whether this machine has a coturn to start.
    #[must_use]
    pub fn is_installed() -> bool {
        let probe = Command::new(PROGRAM)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        probe.is_ok()
    }

    /// Starts coturn and waits (blocking) until both of its listeners take connections.
    ///
    /// # Errors
    ///
    /// When it is not installed, ends at once or does not listen in time; the error holds its log.
    pub fn start(options: CoturnOptions) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tacit-coturn-").tempdir()?;
        let certificate = self_signed_certificate()?;
        std::fs::write(folder.path().join("cert.pem"), &certificate.certificate_pem)?;
        std::fs::write(folder.path().join("key.pem"), &certificate.key_pem)?;
        let secret = random_hex();
        let plain = free_tcp_port(options.ip)?;
        let tls = free_tcp_port(options.ip)?;
        let configuration = configuration(&options, folder.path(), &secret, plain, tls)?;
        let configuration_path = folder.path().join("turnserver.conf");
        std::fs::write(&configuration_path, configuration)?;
        let child = Command::new(PROGRAM)
            .arg("-c")
            .arg(&configuration_path)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut coturn = Self {
            leash: None,
            child,
            folder,
            plain,
            tls,
            pin: certificate.pin,
            secret,
        };
        coturn.leash = Some(Leash::hold(coturn.id())?);
        coturn.wait_until_ready()?;
        Ok(coturn)
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let started = Instant::now();
        for addr in [self.plain, self.tls] {
            while TcpStream::connect_timeout(&addr, START_TIMEOUT).is_err() {
                if let Some(status) = self.child.try_wait()? {
                    let log = self.log();
                    return Err(io::Error::other(format!(
                        "coturn ended with {status}:\n{log}"
                    )));
                }
                if started.elapsed() > START_TIMEOUT {
                    let log = self.log();
                    return Err(io::Error::new(io::ErrorKind::TimedOut, log));
                }
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        Ok(())
    }

    /// Its plain TCP listener.
    #[must_use]
    pub const fn plain_addr(&self) -> SocketAddr {
        self.plain
    }

    /// Its TLS listener.
    #[must_use]
    pub const fn tls_addr(&self) -> SocketAddr {
        self.tls
    }

    /// The pin of its TLS key.
    #[must_use]
    pub const fn pin(&self) -> SpkiPin {
        self.pin
    }

    /// The secret that it shares with whoever mints credentials.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The certificate's path, as an operator would give it to the mailbox server.
    #[must_use]
    pub fn certificate_path(&self) -> std::path::PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// A fresh one-time credential, good for an hour.
    #[must_use]
    pub fn credentials(&self) -> TurnCredentials {
        credentials(&self.secret, Duration::from_secs(3600))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("turnserver.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Ends it now, as a crash would.
    pub fn kill(&mut self) {
        self.leash = None;
        // It may have ended by itself; nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Coturn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coturn")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

fn configuration(
    options: &CoturnOptions,
    folder: &Path,
    secret: &str,
    plain: SocketAddr,
    tls: SocketAddr,
) -> io::Result<String> {
    let first = UdpSocket::bind((options.ip, 0))?.local_addr()?.port();
    let first = first.min(u16::MAX - options.relay_ports);
    let last = first + options.relay_ports - 1;
    let CoturnOptions { ip, user_quota, .. } = options;
    let (plain, tls, stale_nonce) = (plain.port(), tls.port(), options.stale_nonce.as_secs());
    let folder = folder.display();
    Ok(format!(
        "listening-ip={ip}
relay-ip={ip}
listening-port={plain}
tls-listening-port={tls}
min-port={first}
max-port={last}
realm=tacit
use-auth-secret
static-auth-secret={secret}
user-quota={user_quota}
stale-nonce={stale_nonce}
cert={folder}/cert.pem
pkey={folder}/key.pem
no-tlsv1
no-tlsv1_1
no-udp
no-dtls
no-tcp-relay
no-multicast-peers
no-software-attribute
no-cli
denied-peer-ip=0.0.0.0-255.255.255.255
denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
allowed-peer-ip={ip}
allow-loopback-peers
relay-threads=1
userdb={folder}/turndb
pidfile={folder}/turnserver.pid
log-file={folder}/turnserver.log
simple-log
verbose
no-stdout-log
"
    ))
}

/// A port that was free a moment ago.
fn free_tcp_port(ip: IpAddr) -> io::Result<SocketAddr> {
    TcpListener::bind((ip, 0))?.local_addr()
}

fn random_hex() -> String {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A credential by the TURN REST convention: the user name starts with its expiry, the password is
/// a MAC of it (draft-uberti-behave-turn-rest-00 §2.2). The rest of the name is random.
#[must_use]
pub fn credentials(secret: &str, ttl: Duration) -> TurnCredentials {
    let (username, password) = mint(secret, ttl);
    TurnCredentials::new(username, password)
}

/// The same as plain text: user name and password.
#[must_use]
pub fn mint(secret: &str, ttl: Duration) -> (String, String) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let username = format!("{}:{}", (now + ttl).as_secs(), random_hex());
    let crypto = default_provider().expect("the crate's manifest enables one provider");
    let mut mac = crypto
        .crypto()
        .new_hmac(HmacAlgorithm::Sha1, secret.as_bytes())
        .expect("every provider has HMAC-SHA1: STUN is built on it");
    let mut tag = [0; 20];
    mac.sign(&[username.as_bytes()], &mut tag)
        .expect("the tag has the algorithm's length");
    (username, STANDARD.encode(tag))
}

/// A self-signed certificate with its key and its pin.
#[derive(Clone)]
pub struct SelfSigned {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
    /// What clients pin.
    pub pin: SpkiPin,
}

impl fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SelfSigned[redacted]")
    }
}

/// A certificate such as an operator makes for coturn: a fresh P-256 key, a name that nobody reads.
///
/// # Errors
///
/// When the system gives no entropy.
pub fn self_signed_certificate() -> io::Result<SelfSigned> {
    let name = vec!["turn.invalid".to_owned()];
    let made = rcgen::generate_simple_self_signed(name).map_err(io::Error::other)?;
    let certificate_pem = made.cert.pem();
    let pin = SpkiPin::of_pem(certificate_pem.as_bytes()).map_err(io::Error::other)?;
    Ok(SelfSigned {
        certificate_pem,
        key_pem: made.signing_key.serialize_pem(),
        pin,
    })
}
