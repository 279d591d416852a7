//! What a run is given from outside: names, an ear for its progress, and a word to stop.

use std::future::{Future, pending};

use tokio::sync::watch;

use crate::dns::resolve::Resolver;

/// What a run is given from outside.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Finds the addresses of hosts and the primaries of zones.
    pub resolver: &'a Resolver,
    /// Hears how far the run is.
    pub progress: &'a dyn Progress,
    /// Ends the run early.
    pub interrupt: &'a Interrupt,
}

/// One part of a run, with hosts or zones to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Hosts are asked until each is settled.
    Probe,
    /// Zones are read and planned.
    Plan,
    /// Zones are written and read back.
    Apply,
    /// Zones are looked at, to find out whether updates can work.
    Examine,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A stage begins, with so many hosts or zones.
    Begin(Stage, usize),
    /// One more is done, well or not.
    Done {
        /// The host does not answer, or the zone is not as it should be.
        failed: bool,
    },
    /// The stage ends.
    End,
}

/// Hears how far a run is.
pub trait Progress: Sync {
    /// Takes one event; returns at once.
    fn tell(&self, event: Event);
}

/// Nobody listens.
pub struct Quiet;

impl Progress for Quiet {
    fn tell(&self, _event: Event) {}
}

/// A word to stop, given once and heard by all.
///
/// What has not begun is not begun; what only reads is dropped; an update under way is finished,
/// read back and stored.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

/// Gives the word.
#[derive(Debug)]
pub struct Interrupter(watch::Sender<bool>);

impl Interrupter {
    /// Interrupts the run.
    pub fn interrupt(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// A word that has not been given, and who may give it.
    pub fn new() -> (Interrupter, Self) {
        let (sender, receiver) = watch::channel(false);
        (Interrupter(sender), Self(receiver))
    }

    /// True from the word on.
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the word; for ever, when nobody is left to give it.
    pub async fn raised(&self) {
        let mut word = self.0.clone();
        if word.wait_for(|raised| *raised).await.is_err() {
            pending().await
        }
    }

    /// Runs `work` to its end, or drops it at the word: `None`. After the word it is not begun.
    pub async fn unless_raised<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.raised() => None,
            result = work => Some(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_the_word_nothing_begins() {
        let (interrupter, interrupt) = Interrupt::new();
        assert_eq!(interrupt.unless_raised(async { 1 }).await, Some(1));
        interrupter.interrupt();
        assert!(interrupt.is_raised());
        let begun = async { panic!("begun") };
        assert_eq!(interrupt.unless_raised::<()>(begun).await, None);
    }

    #[tokio::test]
    async fn the_word_drops_what_is_under_way() {
        let (interrupter, interrupt) = Interrupt::new();
        let endless = interrupt.unless_raised(pending::<()>());
        let (ended, ()) = tokio::join!(endless, async { interrupter.interrupt() });
        assert_eq!(ended, None);
    }

    #[tokio::test]
    async fn without_anybody_to_give_it_the_work_goes_on() {
        let (interrupter, interrupt) = Interrupt::new();
        drop(interrupter);
        assert!(!interrupt.is_raised());
        assert_eq!(
            interrupt.unless_raised(tokio::task::yield_now()).await,
            Some(())
        );
    }
}
