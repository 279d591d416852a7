//! Signals, as words for the daemon.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::info;

use super::{Control, DaemonError};

/// SIGHUP reloads; SIGTERM and SIGINT stop. They are heard from now on.
///
/// Must be called within a tokio runtime.
pub fn signals() -> Result<mpsc::Receiver<Control>, DaemonError> {
    let on = |kind| signal(kind).map_err(DaemonError::Signals);
    let (mut hangup, mut terminate, mut interrupt) = (
        on(SignalKind::hangup())?,
        on(SignalKind::terminate())?,
        on(SignalKind::interrupt())?,
    );
    let (said, control) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Some((word, signal)) = next(&mut hangup, &mut terminate, &mut interrupt).await {
            if word == Control::Stop {
                info!(signal, "ending, as told");
            }
            if said.send(word).await.is_err() {
                return;
            }
        }
    });
    Ok(control)
}

/// The word, and the signal that said it.
async fn next(
    hangup: &mut Signal,
    terminate: &mut Signal,
    interrupt: &mut Signal,
) -> Option<(Control, &'static str)> {
    tokio::select! {
        heard = hangup.recv() => heard.map(|()| (Control::Reload, "SIGHUP")),
        heard = terminate.recv() => heard.map(|()| (Control::Stop, "SIGTERM")),
        heard = interrupt.recv() => heard.map(|()| (Control::Stop, "SIGINT")),
    }
}
