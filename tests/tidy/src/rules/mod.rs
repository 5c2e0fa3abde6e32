//! The rules.

mod dependencies;
mod licences;
mod manifests;
mod places;
mod prose;
mod purity;
mod sleeps;
mod unfinished;
mod unsafety;

use crate::{Violation, Workspace};

pub use licences::{Foreign, judge as judge_licences, licences};
pub use sleeps::stale_exceptions;

/// A rule and its name.
pub type Rule = (&'static str, fn(&Workspace) -> Vec<Violation>);

/// Every rule that needs only the workspace's own files. [`licences`] asks cargo for more.
pub const ALL: &[Rule] = &[
    ("direction of dependencies", dependencies::direction),
    ("one foreign library, one crate", dependencies::one_importer),
    ("members one by one", manifests::members),
    (
        "manifests share licence and lints",
        manifests::shared_fields,
    ),
    ("sources only from the registry", manifests::sources),
    ("crates say what they are and are not", prose::crate_docs),
    ("files stay short", prose::length),
    ("every crate and reason is in the docs", prose::documented),
    ("the book's links lead somewhere", prose::links),
    ("unsafe only where it is allowed", unsafety::allowed_crates),
    ("unsafe says why it is sound", unsafety::reasons),
    ("nothing unfinished", unfinished::macros),
    ("no sleeping in tests", sleeps::sleeps),
    ("no place of one machine", places::machine_paths),
    ("cores have no clock, entropy or I/O", purity::code),
    ("cores depend on no runtime", purity::manifests),
];
