//! libasound writes what it thinks of each device on standard error, over whatever the program shows.

/// What libasound has to say on this thread is kept from the screen, and in memory: renewed from time
/// to time, that stays small. It is for the thread's life; others are not affected.
#[cfg(target_os = "linux")]
pub(super) struct Quiet(#[expect(dead_code, reason = "held")] Option<Buffer>);

#[cfg(target_os = "linux")]
type Buffer = std::rc::Rc<std::cell::RefCell<alsa::Output>>;

#[cfg(target_os = "linux")]
impl Quiet {
    pub(super) fn on_this_thread() -> Self {
        Self(alsa::Output::local_error_handler().ok())
    }
}

/// Other systems' libraries are quiet.
#[cfg(not(target_os = "linux"))]
pub(super) struct Quiet;

#[cfg(not(target_os = "linux"))]
impl Quiet {
    pub(super) const fn on_this_thread() -> Self {
        Self
    }
}
