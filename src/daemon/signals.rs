//! Signals, as words for the daemon.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

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
        while let Some(word) = next(&mut hangup, &mut terminate, &mut interrupt).await {
            if said.send(word).await.is_err() {
                return;
            }
        }
    });
    Ok(control)
}

async fn next(
    hangup: &mut Signal,
    terminate: &mut Signal,
    interrupt: &mut Signal,
) -> Option<Control> {
    tokio::select! {
        heard = hangup.recv() => heard.map(|()| Control::Reload),
        heard = terminate.recv() => heard.map(|()| Control::Stop),
        heard = interrupt.recv() => heard.map(|()| Control::Stop),
    }
}
