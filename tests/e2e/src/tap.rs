//! What somebody who watches a client's connections sees: bytes and times; and whether that tells
//! what the person does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tacit_tornet::{Dialler, Network};

/// How often the connections are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// What the observer counts in.
pub const WINDOW: Duration = Duration::from_millis(100);
const WINDOWS_IN_SECOND: usize = 10;
/// Bytes that count as the same size: well below one Tor cell.
const SIZE_STEP: u64 = 64;

/// A Tor cell on a link.
const CELL: u64 = 514;
/// What TLS 1.3 adds to a record (RFC 8446 §5.2); a record holds one cell or several.
const RECORD: u64 = 22;

/// Bytes that passed at a time.
#[derive(Clone, Copy, Debug)]
struct Bytes {
    at: Instant,
    sent: u64,
    received: u64,
}

/// One window of [`WINDOW`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Bytes that the client sent.
    pub sent: u64,
    /// Bytes that the client received.
    pub received: u64,
    /// Most bytes that the client sent between two looks.
    pub largest: u64,
}

impl Window {
    fn features(self) -> [u64; 3] {
        [self.sent, self.received, self.largest].map(|bytes| bytes / SIZE_STEP)
    }
}

/// Watches one client's connections until it is dropped.
#[derive(Debug)]
pub struct Tap {
    seen: Arc<Mutex<Vec<Bytes>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Tap {
    /// Watches the connections of process `pid` into the network's relays.
    #[must_use]
    pub fn start(network: Arc<Network>, pid: u32) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK);
            let (mut before, mut ports) = (BTreeMap::new(), BTreeSet::new());
            let mut known = 0;
            loop {
                ticks.tick().await;
                let open = network.connections();
                let newest = open.iter().map(|c| c.id).max().unwrap_or(0);
                if newest > known {
                    (known, ports) = (newest, local_ports(pid));
                }
                let mut now = Bytes {
                    at: Instant::now(),
                    sent: 0,
                    received: 0,
                };
                for connection in open {
                    let Dialler::Client(peer) = connection.from else {
                        continue;
                    };
                    if !ports.contains(&peer.port()) {
                        continue;
                    }
                    let total = (connection.forward_bytes, connection.back_bytes);
                    let (sent, received) = before.insert(connection.id, total).unwrap_or(total);
                    now.sent += total.0 - sent;
                    now.received += total.1 - received;
                }
                if now.sent + now.received > 0 {
                    into.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(now);
                }
            }
        });
        Self { seen, task }
    }

    /// The windows between two times.
    #[must_use]
    pub fn windows(&self, from: Instant, to: Instant) -> Vec<Window> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = (to - from).as_millis() / WINDOW.as_millis();
        let mut windows = vec![Window::default(); usize::try_from(count).unwrap_or(0)];
        for bytes in seen.iter().filter(|b| b.at >= from) {
            let index = (bytes.at - from).as_millis() / WINDOW.as_millis();
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            if let Some(window) = windows.get_mut(index) {
                window.sent += bytes.sent;
                window.received += bytes.received;
                window.largest = window.largest.max(bytes.sent);
            }
        }
        windows
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The local TCP ports of a process, from the kernel.
fn local_ports(pid: u32) -> BTreeSet<u16> {
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(link.to_owned())
        })
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let port = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, inode) = (fields.get(1)?, fields.get(9)?);
        let port = u16::from_str_radix(local.split_once(':')?.1, 16).ok()?;
        sockets.contains(*inode).then_some(port)
    };
    table.lines().skip(1).filter_map(port).collect()
}

/// Bytes that the client sent in the median second. The circuits that Tor builds and the SENDMEs that it
/// sends are bunches of cells within a second or two, at times that do not depend on what is said; that
/// no window tells anything is for [`told_apart`].
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "bytes of a second")]
pub fn sent_a_second(windows: &[Window]) -> f64 {
    let seconds = windows.chunks_exact(WINDOWS_IN_SECOND);
    let mut sent: Vec<u64> = seconds
        .map(|second| second.iter().map(|w| w.sent).sum())
        .collect();
    sent.sort_unstable();
    sent.get(sent.len() / 2).map_or(0.0, |bytes| *bytes as f64)
}

/// Share of the windows in which the client sent nothing but whole cells in TLS records. Of other
/// sizes hardly one in fifty would pass for that.
#[must_use]
pub fn whole_cells(windows: &[Window]) -> f64 {
    let whole = |sent: u64| {
        let mut cells = sent.div_ceil(CELL + RECORD)..=sent / CELL;
        cells.any(|n| (sent - n * CELL).is_multiple_of(RECORD))
    };
    let passed = windows.iter().filter(|w| whole(w.sent)).count();
    count(passed) / count(windows.len())
}

/// Share of windows that an observer who has learnt both kinds tells right, each kind counting the
/// same: 0.5 is guessing. Learns from one half and is tested on the other, both ways: by the sizes'
/// frequencies (naive Bayes).
#[must_use]
pub fn told_apart(a: &[Window], b: &[Window]) -> f64 {
    let half = |windows: &[Window], odd: usize| -> Vec<Window> {
        windows.iter().copied().skip(odd).step_by(2).collect()
    };
    let accuracy = |odd: usize| {
        let learnt = [
            Frequencies::of(&half(a, odd)),
            Frequencies::of(&half(b, odd)),
        ];
        let right = |windows: &[Window], own: usize| {
            let tested = half(windows, 1 - odd);
            let score = |w: &Window| {
                let (own, other) = (learnt[own].log(*w), learnt[1 - own].log(*w));
                // Undecided counts as a coin's toss.
                if own > other {
                    1.0
                } else if own < other {
                    0.0
                } else {
                    0.5
                }
            };
            tested.iter().map(score).sum::<f64>() / count(tested.len())
        };
        f64::midpoint(right(a, 0), right(b, 1))
    };
    f64::midpoint(accuracy(0), accuracy(1))
}

/// The most that [`told_apart`] gives by luck: four standard errors of guessing above one half.
#[must_use]
pub fn chance(a: &[Window], b: &[Window]) -> f64 {
    0.5 + 4.0 * (0.25 / count(a.len() + b.len())).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "windows of one call")]
fn count(n: usize) -> f64 {
    n.max(1) as f64
}

/// How often each size occurs, for each feature by itself.
struct Frequencies {
    sizes: [BTreeMap<u64, f64>; 3],
    total: f64,
}

impl Frequencies {
    fn of(windows: &[Window]) -> Self {
        let mut sizes: [BTreeMap<u64, f64>; 3] = Default::default();
        for window in windows {
            for (map, size) in sizes.iter_mut().zip(window.features()) {
                *map.entry(size).or_default() += 1.0;
            }
        }
        Self {
            sizes,
            total: count(windows.len()),
        }
    }

    fn log(&self, window: Window) -> f64 {
        let each = self.sizes.iter().zip(window.features());
        // One more of each size than was seen, or an unseen one would decide alone.
        each.map(|(map, size)| ((map.get(&size).unwrap_or(&0.0) + 1.0) / (self.total + 1.0)).ln())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five cells a window, give or take one, as clocks that drift apart make it.
    fn call(windows: usize, seed: u64, cell: u64, cells: u64) -> Vec<Window> {
        let mut state = seed;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 33
        };
        (0..windows)
            .map(|_| {
                let jitter = [0, 1, 1, 1, 1, 2][usize::try_from(next() % 6).unwrap()];
                Window {
                    sent: cell * (cells - 1 + jitter),
                    received: 536 * (4 + next() % 3),
                    largest: cell,
                }
            })
            .collect()
    }

    #[test]
    fn the_same_traffic_is_not_told_apart() {
        for seed in 0..20 {
            let (a, b) = (call(170, seed, 536, 5), call(170, seed + 1_000, 536, 5));
            assert!(told_apart(&a, &b) <= chance(&a, &b), "seed {seed}");
        }
    }

    /// So many cells a second for twelve seconds, each up to 9 ms late.
    fn steady(cells: u64, seed: u64) -> Vec<Window> {
        let mut windows = vec![Window::default(); 120];
        for cell in 0..12 * cells {
            let late = (cell + seed).wrapping_mul(2_654_435_761) >> 8 & 7;
            let at = cell * 1000 / cells + seed % 20 + late;
            if let Some(window) = windows.get_mut(usize::try_from(at / 100).unwrap()) {
                window.sent += 536;
            }
        }
        windows
    }

    #[test]
    fn a_circuit_that_is_built_is_no_other_rate_and_three_cells_more_in_each_second_are() {
        for seed in 0..50 {
            let (open, mut muted) = (steady(50, seed), steady(50, 3 * seed));
            for window in &mut muted[35..60] {
                window.sent += 536 * 2;
            }
            let off = sent_a_second(&muted) / sent_a_second(&open) - 1.0;
            assert!(off.abs() < 0.03, "seed {seed}: {off}");
            let off = sent_a_second(&steady(53, seed)) / sent_a_second(&open) - 1.0;
            assert!(off > 0.03, "seed {seed}: {off}");
        }
        assert!(sent_a_second(&[]).abs() < f64::EPSILON);
    }

    #[test]
    fn whole_cells_are_told_from_other_sizes() {
        let sent = |bytes| Window {
            sent: bytes,
            ..Window::default()
        };
        let cells: Vec<_> = (0..12).map(|n| sent(n * 536)).collect();
        let together = [sent(2 * 514 + 22), sent(5 * 514 + 3 * 22)];
        assert_eq!([whole_cells(&cells), whole_cells(&together)], [1.0, 1.0]);
        let others: Vec<_> = (1..5000).map(sent).collect();
        assert!(whole_cells(&others) < 0.02, "{}", whole_cells(&others));
    }

    /// The control: what the tests of real calls look for is found when it is there.
    #[test]
    fn planted_differences_are_told_apart() {
        let speech = call(170, 1, 536, 5);
        let smaller = call(170, 2, 320, 5);
        let rarer = call(170, 3, 536, 2);
        let mut now_and_then = call(170, 4, 536, 5);
        for window in now_and_then.iter_mut().step_by(3) {
            window.sent += 536 * 4;
        }
        assert!(told_apart(&speech, &smaller) > 0.95);
        assert!(told_apart(&speech, &rarer) > 0.9);
        let found = told_apart(&speech, &now_and_then);
        assert!(found > chance(&speech, &now_and_then), "{found}");
    }
}
