//! tacit-circuits: somebody else's recordings.

use core::time::Duration;

use tacit_circuits::strategies::Kind;
use tacit_circuits::{Mode, Part, Scenario, Trace, Traces, run};

/// Larger files go through the parser only.
const PLAYED: usize = 256;

/// A trace: what can be read is written and read again, and a call over it ends.
pub(crate) fn trace(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(trace) = Trace::parse(&text) else {
        return;
    };
    assert!(trace.length() >= 1_000.0);
    let again = Trace::parse(&trace.to_csv()).expect("what was written can be read");
    assert_eq!(again.length(), trace.length());
    assert_eq!(again, trace);
    if bytes.len() > PLAYED {
        return;
    }
    let traces = Traces::new(vec![trace, again], 1).expect("two are enough");
    let mut scenario = Scenario::new(Mode::Onion);
    scenario.legs = 1;
    scenario.length = Duration::from_millis(200);
    scenario.traces = Some((traces, Part::Scoring));
    let outcome = run(&scenario, Kind::Single, 1, &mut ());
    assert!(outcome.cells > 0);
}
