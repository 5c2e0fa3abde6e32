//! How far a node is, from what it left on disk or says.
use std::fs;
use std::path::Path;

/// Whether a node has a consensus of `relays` relays and all their microdescriptors.
pub(super) fn has_directory(data: &Path, relays: usize) -> bool {
    let read = |file: &str| fs::read_to_string(data.join(file)).unwrap_or_default();
    let starting = |text: &str, start: &str| text.lines().filter(|l| l.starts_with(start)).count();
    let consensus = read("cached-microdesc-consensus");
    let descriptors = read("cached-microdescs") + &read("cached-microdescs.new");
    starting(&consensus, "r ") >= relays
        && consensus.contains("\ndirectory-signature ")
        && starting(&descriptors, "ntor-onion-key ") >= relays
}

pub(super) fn bootstrap_percent(phase: &str) -> u8 {
    phase
        .split(' ')
        .find_map(|word| word.strip_prefix("PROGRESS="))
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentage_is_read_from_a_bootstrap_phase() {
        let phase = "status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=75 TAG=enough_dirinfo";
        assert_eq!(bootstrap_percent(phase), 75);
        assert_eq!(bootstrap_percent("nonsense"), 0);
    }

    #[test]
    fn a_directory_counts_when_every_relay_has_its_microdescriptor() {
        let dir = tempfile::tempdir().unwrap();
        let consensus = "r a\nr b\ndirectory-signature x\n";
        fs::write(dir.path().join("cached-microdesc-consensus"), consensus).unwrap();
        fs::write(dir.path().join("cached-microdescs"), "ntor-onion-key x\n").unwrap();
        assert!(!has_directory(dir.path(), 2));
        fs::write(
            dir.path().join("cached-microdescs.new"),
            "ntor-onion-key y\n",
        )
        .unwrap();
        assert!(has_directory(dir.path(), 2));
        assert!(!has_directory(dir.path(), 3));
    }
}
