//! Bars on a terminal: how far a run is, and how long it will take.
//!
//! A stage that ends within half a second draws nothing. Log lines go through [`Bars::log`], which
//! takes the bar away while it writes.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "shell"
)]

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use tokio::task::JoinHandle;

use crate::reconcile::{Event, Progress, Stage};

/// A stage shorter than this draws nothing.
const APPEARS_AFTER: Duration = Duration::from_millis(500);
/// Between two drawings of a bar on which nothing happens, so that its times stay true.
const TICK: Duration = Duration::from_millis(200);

const TEMPLATE: &str = "{prefix} [{wide_bar}] {pos}/{len}{msg} {rate}{left}";

/// The progress of one run, drawn on stderr or nowhere.
pub struct Bars {
    multi: MultiProgress,
    shown: bool,
    present: Mutex<Option<Present>>,
}

/// The stage under way.
struct Present {
    bar: ProgressBar,
    failed: u64,
    drawing: JoinHandle<()>,
}

impl Bars {
    /// Draws on stderr.
    pub fn on_stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr(), true)
    }

    /// Draws nothing.
    pub fn hidden() -> Self {
        Self::on(ProgressDrawTarget::hidden(), false)
    }

    fn on(target: ProgressDrawTarget, shown: bool) -> Self {
        Self {
            multi: MultiProgress::with_draw_target(target),
            shown,
            present: Mutex::new(None),
        }
    }

    /// Where log lines go: stderr, the bars out of the way. Each write should be a whole line.
    pub fn log(&self) -> impl Fn() -> Log + Send + Sync + 'static {
        let multi = self.multi.clone();
        move || Log(multi.clone())
    }

    /// Starts the bar of a stage; must be called within a tokio runtime.
    fn begin(&self, stage: Stage, all: usize) {
        let length = u64::try_from(all).unwrap_or(u64::MAX);
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden())
            .with_style(style())
            .with_prefix(match stage {
                Stage::Probe => "probing hosts",
                Stage::Plan => "planning zones",
                Stage::Apply => "applying zones",
                Stage::Examine => "examining zones",
            });
        let drawing = tokio::spawn(draw(self.multi.clone(), bar.clone()));
        *self.present() = Some(Present {
            bar,
            failed: 0,
            drawing,
        });
    }

    fn present(&self) -> MutexGuard<'_, Option<Present>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bars {
    fn tell(&self, event: Event) {
        if !self.shown {
            return;
        }
        match event {
            Event::Begin(stage, all) => self.begin(stage, all),
            Event::Done { failed } => {
                if let Some(present) = &mut *self.present() {
                    present.done(failed);
                }
            }
            Event::End => drop(self.present().take()),
        }
    }
}

impl Present {
    fn done(&mut self, failed: bool) {
        if failed {
            self.failed += 1;
            self.bar.set_message(format!(", {} failed", self.failed));
        }
        self.bar.inc(1);
    }
}

/// However a stage ends, its bar goes.
impl Drop for Present {
    fn drop(&mut self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
    }
}

async fn draw(multi: MultiProgress, bar: ProgressBar) {
    tokio::time::sleep(APPEARS_AFTER).await;
    let bar = multi.add(bar);
    loop {
        bar.tick();
        tokio::time::sleep(TICK).await;
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template(TEMPLATE)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key(
            "rate",
            |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                // A closed writer is the drawing's concern.
                let _ = write!(out, "{:.0}/s", state.per_sec());
            },
        )
        .with_key(
            "left",
            |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                // Before the first is done nobody knows.
                if state.pos() > 0 {
                    let _ = write!(out, " {:#} left", HumanDuration(state.eta()));
                }
            },
        )
}

/// Writes to stderr while no bar stands there.
pub struct Log(MultiProgress);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn on(terminal: &InMemoryTerm) -> Bars {
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        Bars::on(target, true)
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_stage_shows_what_is_done_and_goes() {
        let terminal = InMemoryTerm::new(10, 80);
        let bars = on(&terminal);
        bars.tell(Event::Begin(Stage::Probe, 12));
        bars.tell(Event::Done { failed: false });
        bars.tell(Event::Done { failed: true });
        tokio::time::sleep(APPEARS_AFTER * 2).await;
        let drawn = terminal.contents();
        assert!(drawn.starts_with("probing hosts ["), "{drawn}");
        assert!(drawn.contains(" 2/12, 1 failed "), "{drawn}");
        assert!(drawn.ends_with(" left"), "{drawn}");
        bars.tell(Event::End);
        assert_eq!(terminal.contents(), "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_stage_draws_nothing() {
        let terminal = InMemoryTerm::new(10, 80);
        let bars = on(&terminal);
        bars.tell(Event::Begin(Stage::Plan, 2));
        tokio::time::sleep(APPEARS_AFTER / 2).await;
        bars.tell(Event::Done { failed: false });
        bars.tell(Event::End);
        tokio::time::sleep(APPEARS_AFTER * 2).await;
        assert_eq!(terminal.contents(), "");
        assert_eq!(terminal.moves_since_last_check(), "");
    }
}
