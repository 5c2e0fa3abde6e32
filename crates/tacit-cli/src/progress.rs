//! What a person is told of Tor's progress: it only rises. What is renewed after the start is told
//! in words, once.

/// What is to be shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    /// How far the start is; takes the place of what was shown before.
    Progress(String),
    /// A sentence of its own.
    Sentence(&'static str),
}

/// How far Tor was.
#[derive(Debug, Default)]
pub(crate) struct TorProgress {
    highest: u8,
    stage: String,
    /// Tor was ready and is not now.
    lost: bool,
}

impl TorProgress {
    /// Takes how far Tor is now.
    pub(crate) fn next(&mut self, percent: u8, stage: &str) -> Shown {
        if self.highest >= 100 {
            let lost = percent < 100;
            return match (std::mem::replace(&mut self.lost, lost), lost) {
                (false, true) => Shown::Sentence("Reconnecting to Tor…"),
                (true, false) => Shown::Sentence("Connected to Tor again."),
                _ => Shown::Nothing,
            };
        }
        let now = percent.max(self.highest);
        if now == self.highest && stage == self.stage {
            return Shown::Nothing;
        }
        self.highest = now;
        stage.clone_into(&mut self.stage);
        Shown::Progress(format!("Tor: {now} % · {stage}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_goes_back_and_what_comes_after_the_start_is_told_once() {
        let mut tor = TorProgress::default();
        let mut at = |percent, stage| tor.next(percent, stage);
        let shown = |text: &str| Shown::Progress(text.to_owned());
        assert_eq!(at(0, "connecting"), shown("Tor: 0 % · connecting"));
        assert_eq!(at(0, "connecting"), Shown::Nothing);
        assert_eq!(at(40, "directory"), shown("Tor: 40 % · directory"));
        assert_eq!(at(15, "connecting"), shown("Tor: 40 % · connecting"));
        assert_eq!(at(100, "ready"), shown("Tor: 100 % · ready"));
        assert_eq!(at(100, "ready, really"), Shown::Nothing);
        assert_eq!(at(85, "directory"), Shown::Sentence("Reconnecting to Tor…"));
        assert_eq!(at(90, "directory"), Shown::Nothing);
        assert_eq!(at(100, "ready"), Shown::Sentence("Connected to Tor again."));
        assert_eq!(at(100, "ready"), Shown::Nothing);
    }
}
