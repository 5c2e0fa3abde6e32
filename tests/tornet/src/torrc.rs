//! The configuration files of relays and of the C tor client.
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

use crate::identity::{DIR_PORT, HIDDEN_OR_PORT, OR_PORT, Relay, Role};

/// Seconds between consensuses. Half an hour, so that no network changes under a test; the first
/// one is brought forward by moving the schedule's offset once every relay is known.
pub(crate) const VOTING_INTERVAL: u64 = 1800;
/// Seconds for votes, and again for signatures, to travel.
pub(crate) const VOTE_DELAY: u64 = 2;

/// Whether relays listen where they advertise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// On the advertised port.
    Advertised,
    /// On the hidden port, behind a proxy on the advertised one.
    Hidden,
}

/// The lines by which every node knows the authorities.
pub(crate) fn authority_lines(relays: &[Relay]) -> String {
    relays.iter().fold(String::new(), |mut text, relay| {
        if let Some(v3) = &relay.v3_identity {
            writeln!(
                text,
                "DirAuthority {} orport={OR_PORT} no-v2 v3ident={v3} {}:{DIR_PORT} {}",
                relay.name, relay.address, relay.rsa_identity
            )
            .expect("writing to a String");
        }
        text
    })
}

fn common(data: &Path, authorities: &str) -> String {
    let data = data.display();
    // Attachment is what makes /proc/<pid>/fd readable for a user other than root.
    // The owner's pid is the fallback for the control connection that owns the process.
    let owner = std::process::id();
    format!(
        "DataDirectory {data}\n\
         Log notice file {data}/notice.log\n\
         SafeLogging 0\n\
         LogTimeGranularity 1\n\
         ProtocolWarnings 1\n\
         ShutdownWaitLength 0\n\
         DisableDebuggerAttachment 0\n\
         RunAsDaemon 0\n\
         ControlSocket {data}/control\n\
         __OwningControllerProcess {owner}\n\
         UseDefaultFallbackDirs 0\n\
         {authorities}"
    )
}

/// A relay's configuration. `first_vote_offset` is where in the voting interval the schedule
/// starts until it is moved.
pub(crate) fn relay(
    relay: &Relay,
    data: &Path,
    authorities: &str,
    listen: Listen,
    first_vote_offset: u64,
) -> String {
    let Relay { name, address, .. } = relay;
    let ports = match listen {
        Listen::Advertised => format!("ORPort {address}:{OR_PORT}"),
        Listen::Hidden => format!(
            "ORPort {address}:{OR_PORT} NoListen\nORPort {address}:{HIDDEN_OR_PORT} NoAdvertise"
        ),
    };
    let role = match relay.role {
        Role::Authority => authority(*address, first_vote_offset),
        Role::Middle => "ExitPolicy reject *:*\n".to_owned(),
        // Targets of tests are on loopback or private addresses.
        Role::Exit => "ExitRelay 1\nExitPolicyRejectPrivate 0\nExitPolicy accept *:*\n".to_owned(),
    };
    // Traffic on loopback does not count as bandwidth, so that relays go on claiming the same.
    format!(
        "TestingTorNetwork 1\n\
         CountPrivateBandwidth 0\n\
         {common}\
         Nickname {name}\n\
         ContactInfo {name}@tornet.invalid\n\
         Address {address}\n\
         OutboundBindAddressOR {address}\n\
         {ports}\n\
         SocksPort 0\n\
         AssumeReachable 1\n\
         AddressDisableIPv6 1\n\
         PathsNeededToBuildCircuits 0.67\n\
         NumCPUs 1\n\
         {role}",
        common = common(data, authorities),
    )
}

fn authority(address: Ipv4Addr, offset: u64) -> String {
    // The initial interval equals the normal one: otherwise the authorities' schedules can part.
    format!(
        "AuthoritativeDirectory 1\n\
         V3AuthoritativeDirectory 1\n\
         DirPort {address}:{DIR_PORT}\n\
         ExitPolicy reject *:*\n\
         TestingV3AuthInitialVotingInterval {VOTING_INTERVAL}\n\
         TestingV3AuthInitialVoteDelay {VOTE_DELAY}\n\
         TestingV3AuthInitialDistDelay {VOTE_DELAY}\n\
         TestingV3AuthVotingStartOffset {offset}\n\
         V3AuthVotingInterval {VOTING_INTERVAL}\n\
         V3AuthVoteDelay {VOTE_DELAY}\n\
         V3AuthDistDelay {VOTE_DELAY}\n\
         V3AuthNIntervalsValid 6\n\
         TestingDirAuthVoteHSDir *\n\
         TestingDirAuthVoteGuard *\n\
         TestingMinExitFlagThreshold 0\n\
         AuthDirListBadExits 0\n"
    )
}

/// The C tor client's configuration. It runs as on the public network, without
/// `TestingTorNetwork`, so that its onion service time periods are Arti's.
pub(crate) fn client(data: &Path, authorities: &str, address: Ipv4Addr) -> String {
    format!(
        "{common}\
         ClientOnly 1\n\
         SocksPort {address}:{SOCKS_PORT}\n\
         ControlPort {address}:{CONTROL_PORT}\n\
         CookieAuthentication 1\n\
         ExtendAllowPrivateAddresses 1\n\
         ClientRejectInternalAddresses 0\n\
         ClientDNSRejectInternalAddresses 0\n\
         LearnCircuitBuildTimeout 0\n\
         CircuitBuildTimeout 30\n",
        common = common(data, authorities),
    )
}

/// Where the C tor client takes SOCKS connections.
pub(crate) const SOCKS_PORT: u16 = 9050;
/// Where the C tor client takes control connections.
pub(crate) const CONTROL_PORT: u16 = 9051;
