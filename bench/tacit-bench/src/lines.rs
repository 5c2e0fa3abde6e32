//! Lines of calls: written as calls end, and read again.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};

use tacit_bench::line::{CallLine, SCHEMA, WHICH_TRACES};

use crate::Failure;
use crate::file;

/// Writes lines in their order, each as early as that can be.
pub(crate) struct InOrder<W> {
    out: W,
    next: u64,
    /// Those that came before an earlier one.
    waiting: BTreeMap<u64, String>,
}

impl<W: Write> InOrder<W> {
    pub(crate) const fn new(out: W) -> Self {
        Self {
            out,
            next: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes the line of this place, counted from 0. Whole lines are written at once, so that whoever
    /// breaks this off has no part of one.
    pub(crate) fn add(&mut self, place: u64, mut line: String) -> io::Result<()> {
        line.push('\n');
        self.waiting.insert(place, line);
        while let Some(line) = self.waiting.remove(&self.next) {
            self.out.write_all(line.as_bytes())?;
            self.next += 1;
        }
        Ok(())
    }
}

/// What was in files of lines.
#[derive(Default)]
pub(crate) struct Read {
    /// Calls of one setting are one group, whichever files they are in.
    pub(crate) groups: Vec<Vec<CallLine>>,
    /// What their reader should know.
    pub(crate) notes: Vec<String>,
}

/// Reads all of these; a call that is there more than once counts once.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Read, Failure> {
    let mut all = Read::default();
    for path in paths {
        all.add(path)?;
        if all.groups.is_empty() {
            return Err(format!("{}: no calls", path.display()).into());
        }
    }
    all.once();
    Ok(all)
}

impl Read {
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        let shown = path.display();
        if file::is_part(path) {
            let note = format!("{shown} is what a run that was not finished has left");
            self.notes.push(note);
        }
        let file = File::open(path).map_err(|error| format!("{shown}: {error}"))?;
        let mut file = BufReader::new(file);
        let mut line = String::new();
        for number in 1_u64.. {
            let wrong = |what: &dyn std::fmt::Display| format!("{shown}: line {number}: {what}");
            line.clear();
            if file.read_line(&mut line).map_err(|error| wrong(&error))? == 0 {
                break;
            }
            match serde_json::from_str::<CallLine>(&line) {
                Ok(call) if call.setting.schema == SCHEMA => self.keep(call),
                Ok(call) => {
                    let schema = call.setting.schema;
                    return Err(wrong(&format!("schema {schema}, not {SCHEMA}")).into());
                }
                Err(error) if error.is_eof() && !line.ends_with('\n') => {
                    self.notes.push(wrong(&"broken off, and left out"));
                }
                Err(error) if error.to_string().contains(WHICH_TRACES) => {
                    return Err(wrong(&WHICH_TRACES).into());
                }
                Err(error) => {
                    let column = error.column();
                    let what = format!("column {column}: not a call that `tacit-bench run` wrote");
                    return Err(wrong(&what).into());
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, call: CallLine) {
        let same = |calls: &&mut Vec<CallLine>| {
            calls
                .first()
                .is_some_and(|first| first.setting == call.setting)
        };
        match self.groups.iter_mut().find(same) {
            Some(calls) => calls.push(call),
            None => self.groups.push(vec![call]),
        }
    }

    /// The same call again would only make intervals narrower than they are.
    fn once(&mut self) {
        let mut again = 0;
        for calls in &mut self.groups {
            let all = calls.len();
            let mut seen = HashSet::new();
            calls.retain(|call| seen.insert(call.call));
            again += all - calls.len();
        }
        if again > 0 {
            self.notes.push(format!(
                "calls that were there already, and count once: {again} lines left out"
            ));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_order_whoever_ends_first() {
        let mut out = Vec::new();
        let mut lines = InOrder::new(&mut out);
        lines.add(1, "one".to_owned()).unwrap();
        lines.add(2, "two".to_owned()).unwrap();
        assert!(lines.out.is_empty());
        lines.add(0, "none".to_owned()).unwrap();
        assert_eq!(lines.out, b"none\none\ntwo\n");
        lines.add(3, "three".to_owned()).unwrap();
        assert_eq!(out, b"none\none\ntwo\nthree\n");
    }
}
