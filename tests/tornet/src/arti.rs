//! The configuration by which Arti finds this network.
use std::fmt::Write as _;

use crate::identity::{Relay, Role};

/// TOML for `arti_client::config::TorClientConfigBuilder`, without any storage section.
pub(crate) fn config_toml(relays: &[Relay]) -> String {
    let mut text = String::from(
        "# A private test network. Never use this on the public one.\n\
         [tor_network]\n\
         authorities.v3idents = [\n",
    );
    for v3 in relays.iter().filter_map(|relay| relay.v3_identity.as_ref()) {
        writeln!(text, "  \"{v3}\",").expect("writing to a String");
    }
    text.push_str("]\nfallback_caches = [\n");
    for relay in relays {
        writeln!(
            text,
            "  {{ rsa_identity = \"{}\", ed_identity = \"{}\", orports = [\"{}\"] }},",
            relay.rsa_identity,
            relay.ed_identity,
            relay.or_address()
        )
        .expect("writing to a String");
    }
    text.push_str(
        "]\n\n\
         [address_filter]\n\
         # Targets behind exits are on loopback or private addresses here.\n\
         allow_local_addrs = true\n\n\
         [override_net_params]\n\
         # With a constant delay Arti would learn a timeout just above the median, and most later\n\
         # circuits would miss it.\n\
         cbtdisabled = 1\n\
         # No more guards are sought than there are.\n",
    );
    let guards = relays
        .iter()
        .filter(|relay| relay.role != Role::Exit)
        .count();
    for parameter in ["guard-min-filtered-sample-size", "guard-max-sample-size"] {
        writeln!(text, "{parameter} = {guards}").expect("writing to a String");
    }
    text
}
