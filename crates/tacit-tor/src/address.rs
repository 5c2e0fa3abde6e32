//! Onion addresses as people see them: 56 letters and `.onion`, version 3, with checksum.

use safelog::DisplayRedacted as _;
use tacit_types::OnionKey;
use tor_hscrypto::pk::{HsId, HsIdKey};

/// The text is not an onion address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a version 3 onion address; it has 56 letters and digits, then `.onion`")]
pub struct OnionAddressError;

/// The address of an onion service, for showing to the person who owns it; never for logging.
#[must_use]
pub fn onion_address(key: OnionKey) -> String {
    HsId::from(key.0).display_unredacted().to_string()
}

/// Reads `<56 letters and digits>.onion`: checksum, version and the key itself are checked.
pub fn parse_onion_address(text: &str) -> Result<OnionKey, OnionAddressError> {
    let id: HsId = text.trim().parse().map_err(|_| OnionAddressError)?;
    let key = HsIdKey::try_from(id).map_err(|_| OnionAddressError)?;
    Ok(OnionKey(key.id().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Tor Project's own site: an address that others computed.
    const KNOWN: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    #[test]
    fn a_known_address_survives_the_round_trip() {
        let key = parse_onion_address(KNOWN).expect("a valid address");
        assert_eq!(onion_address(key), KNOWN);
        assert_eq!(parse_onion_address(&KNOWN.to_uppercase()), Ok(key));
        assert_eq!(parse_onion_address(&format!(" {KNOWN}\n")), Ok(key));
    }

    #[test]
    fn damaged_addresses_are_refused() {
        let flipped = KNOWN.replacen('2', "3", 1);
        for bad in [
            &flipped[..],
            "",
            ".onion",
            "example.com",
            &KNOWN[..55],
            &KNOWN[1..],
        ] {
            assert_eq!(parse_onion_address(bad), Err(OnionAddressError), "{bad}");
        }
        assert_eq!(
            parse_onion_address(&format!("www.{KNOWN}")),
            Err(OnionAddressError)
        );
    }
}
