//! Reads what `cargo test -- --show-output` writes.

/// What a test prints, at the start of a line and with its reason behind it, when this machine
/// cannot run it.
const SKIP_MARK: &str = "SKIPPED:";

/// Counts over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
    pub(crate) skips: Vec<String>,
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// Tests that said that they cannot run here, and tests that are switched off.
    pub(crate) fn skipped(&self) -> usize {
        self.skips.len() + self.ignored
    }
}

/// Tells results, failures and skips apart from the output of tests that passed.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    tally: Tally,
    in_successes: bool,
    test: Option<String>,
    /// Tests of this program that said so: each counts once, and not as passed.
    skipped: Vec<String>,
}

impl Reader {
    /// Takes one line; gives it back if a person wants to see it.
    pub(crate) fn read(&mut self, line: String) -> Option<String> {
        if let Some(reason) = line.trim_start().strip_prefix(SKIP_MARK) {
            self.skip(reason.trim());
            return None;
        }
        if let Some(name) = heading(&line) {
            self.test = Some(name.to_owned());
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.end_of_program(counts);
        } else if line == "successes:" {
            self.in_successes = true;
        } else if line == "failures:" {
            self.in_successes = false;
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|l| l.strip_suffix(" ... FAILED"))
        {
            self.tally.failures.push(name.to_owned());
        }
        let shown = !self.in_successes && !line.is_empty();
        shown.then_some(line)
    }

    /// The counts.
    pub(crate) fn finish(self) -> Tally {
        self.tally
    }

    fn skip(&mut self, reason: &str) {
        let test = self.test.clone().unwrap_or_default();
        if self.skipped.contains(&test) && !test.is_empty() {
            return;
        }
        let shown = if test.is_empty() {
            reason.to_owned()
        } else {
            format!("{test}: {reason}")
        };
        self.tally.skips.push(shown);
        self.skipped.push(test);
    }

    fn end_of_program(&mut self, counts: &str) {
        let count = |what: &str| -> usize {
            let mut words = counts.split([' ', '.', ';']).filter(|w| !w.is_empty());
            let mut last = "0";
            words.find(|word| {
                *word == what || {
                    last = word;
                    false
                }
            });
            last.parse().unwrap_or(0)
        };
        let skipped = self.skipped.drain(..).count();
        self.tally.passed += count("passed").saturating_sub(skipped);
        self.tally.failed += count("failed");
        self.tally.ignored += count("ignored");
        self.in_successes = false;
        self.test = None;
    }
}

/// The name in `---- name stdout ----`.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Tally, String) {
        let mut reader = Reader::default();
        let shown: Vec<_> = text
            .lines()
            .filter_map(|l| reader.read(l.to_owned()))
            .collect();
        (reader.finish(), shown.join("\n"))
    }

    #[test]
    fn programs_add_up() {
        let (tally, _) = read(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
             test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.1s",
        );
        assert_eq!((tally.passed, tally.failed, tally.skipped()), (43, 0, 1));
    }

    #[test]
    fn a_skip_counts_once_with_its_reason_and_not_as_passed() {
        let (tally, shown) = read(
            "running 2 tests\ntest a ... ok\ntest b ... ok\n\nsuccesses:\n\n---- b stdout ----\nnoise\n\
             SKIPPED: needs root\nSKIPPED: needs root\n\n\nsuccesses:\n    a\n    b\n\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        );
        assert_eq!(tally.skips, ["b: needs root"]);
        assert_eq!((tally.passed, tally.skipped()), (1, 1));
        assert!(
            !shown.contains("noise") && shown.contains("test result"),
            "{shown}"
        );
    }

    #[test]
    fn a_failure_is_named_and_its_output_shown() {
        let (tally, shown) = read(
            "test bad ... FAILED\ntest good ... ok\n\nsuccesses:\n\n---- good stdout ----\nquiet\n\n\n\
             successes:\n    good\n\nfailures:\n\n---- bad stdout ----\nthread 'bad' panicked\n\n\n\
             failures:\n    bad\n\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        );
        assert_eq!((tally.passed, tally.failed), (1, 1));
        assert_eq!(tally.failures, ["bad"]);
        assert!(
            shown.contains("panicked") && !shown.contains("quiet"),
            "{shown}"
        );
    }

    #[test]
    fn a_test_that_only_mentions_the_mark_is_not_skipped() {
        let (tally, _) = read("---- a stdout ----\nprints SKIPPED: in the middle");
        assert_eq!(tally.skipped(), 0);
    }
}
