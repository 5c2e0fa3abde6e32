//! Reasons as stable words, for logs, reports and programs.

use super::ChoiceReason;

impl core::fmt::Display for ChoiceReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Best => "best",
            Self::Rested => "rested",
            Self::Remeasure => "remeasure",
            Self::ProbeFresh => "probe_fresh",
            Self::ProbeSuspect => "probe_suspect",
            Self::Blind => "blind",
            Self::AllSuspect => "all_suspect",
            Self::Only => "only",
        })
    }
}
