//! A sign of life for long work: on stderr, and only where stderr is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Warm loads take less than this, and nobody wants a flash.
const DELAY: Duration = Duration::from_millis(300);

/// A spinner that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    /// Starts one; silent where stderr is no terminal.
    pub(crate) fn start(what: impl Into<String>) -> Self {
        let what = crate::output::printable(&what.into());
        if !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        let ticking = bar.clone();
        std::thread::spawn(move || {
            std::thread::sleep(DELAY);
            if ticking.is_finished() {
                return;
            }
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                ticking.set_style(style);
            }
            ticking.set_message(what);
            ticking.enable_steady_tick(Duration::from_millis(100));
        });
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
