//! The story: what happens, what srvkeeper makes of it, and what DNS says then.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::endpoint::CANARY;
use super::heard::Heard;
use super::site::{OWNER, SUFFIX, Site};
use super::{DemoError, Settings};
use crate::daemon::Control;
use crate::model::State;
use crate::plan::ZonePlan;
use crate::render::text;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();

/// A desktop that no inventory has.
const ROGUE: &str = "rogue";

/// A step takes one or two seconds; after this time something is wrong.
const STEP: Duration = Duration::from_secs(10);

/// Walks of the timer, a second apart, after which hosts that fail would have been removed twice.
const WALKS_OF_PATIENCE: usize = 3;

/// The telling of the story at one site.
pub(super) struct Story<'a, 'f> {
    site: &'a mut Site<'f>,
    settings: &'a Settings,
    /// What the daemon tells.
    heard: &'a mut mpsc::UnboundedReceiver<Heard>,
    /// Where the daemon listens.
    control: &'a mpsc::Sender<Control>,
    /// The number of the present step.
    step: usize,
}

impl<'a, 'f> Story<'a, 'f> {
    pub(super) fn new(
        site: &'a mut Site<'f>,
        settings: &'a Settings,
        heard: &'a mut mpsc::UnboundedReceiver<Heard>,
        control: &'a mpsc::Sender<Control>,
    ) -> Self {
        Self {
            site,
            settings,
            heard,
            control,
            step: 0,
        }
    }

    /// Tells it all; ends at the first step that does not hold.
    pub(super) async fn tell(mut self) -> Result<(), DemoError> {
        self.introduce();
        self.first_host().await?;
        self.two_more().await?;
        self.one_dies().await?;
        self.it_lives_again().await?;
        self.replacement().await?;
        self.rogue().await?;
        self.network_cut().await?;
        self.network_back().await?;
        self.say(&format!(
            "{GREEN}All {} steps verified by reading DNS back.{GREEN:#}",
            self.step
        ));
        Ok(())
    }

    fn introduce(&self) {
        self.say(&format!(
            "Windows machines find the KMS hosts that activate them by the SRV records at\n\
             {}. srvkeeper keeps these records equal to the set\n\
             of hosts that really answer. Here is its daemon at work, on this machine alone:\n\
             \n\
             primary   {}, embedded in srvkeeper, with the zone corp.example.\n\
             hosts     kms1 to kms4, simulated, on 127.0.0.11 to .14 port {}\n\
             files     {}",
            OWNER.trim_end_matches('.'),
            self.site.primary(),
            self.site.machines.port(),
            self.site.folder().display(),
        ));
    }

    async fn first_host(&mut self) -> Result<(), DemoError> {
        self.step(
            "The first host is published",
            "The inventory lists kms1, kms2 and kms3. So far only kms1 is running, and the\n\
             zone has no record at all: clients find nothing.",
        );
        self.verify_dns(&[]).await?;
        self.site.machines.start(CANARY).await?;
        self.site.machines.start("kms1").await?;
        self.until_published(&["kms1"]).await
    }

    async fn two_more(&mut self) -> Result<(), DemoError> {
        self.step(
            "The second and third are found missing, and published",
            "kms2 and kms3 are up now, too. On Windows DNS only the first KMS host may write\n\
             this name by default, so further ones run for years without a record.",
        );
        self.site.machines.start("kms2").await?;
        self.site.machines.start("kms3").await?;
        self.until_published(&["kms1", "kms2", "kms3"]).await
    }

    async fn one_dies(&mut self) -> Result<(), DemoError> {
        self.step(
            "One is killed, and removed",
            "kms2 dies. Until its record goes, every client that draws it waits in vain.\n\
             One failed probe removes nobody: it takes three.",
        );
        self.site.machines.kill("kms2").await?;
        self.until_published(&["kms1", "kms3"]).await
    }

    async fn it_lives_again(&mut self) -> Result<(), DemoError> {
        self.step(
            "It lives again, and returns",
            "kms2 has been repaired and answers: twice, and it is back.",
        );
        self.site.machines.start("kms2").await?;
        self.until_published(&["kms1", "kms2", "kms3"]).await
    }

    async fn replacement(&mut self) -> Result<(), DemoError> {
        self.step(
            "A replacement is published",
            "kms1 goes for good, and kms4 takes its place. The administrator edits\n\
             srvkeeper.toml (kms1 gets role = \"retired\", kms4 is added), and has the daemon\n\
             read it: `systemctl reload srvkeeper`.",
        );
        self.site.machines.start("kms4").await?;
        self.site.reconfigure(&[
            ("kms1", "retired"),
            ("kms2", "active"),
            ("kms3", "active"),
            ("kms4", "active"),
        ])?;
        // The daemon is there for the whole of the story.
        let _ = self.control.send(Control::Reload).await;
        self.until_published(&["kms2", "kms3", "kms4"]).await?;
        self.site.machines.kill("kms1").await?;
        Ok(())
    }

    async fn rogue(&mut self) -> Result<(), DemoError> {
        self.step(
            "A rogue is reported",
            "Somebody with the key publishes a machine that no inventory lists, as a desktop\n\
             with a KMS key installed by mistake does. srvkeeper reports it and leaves it\n\
             alone: foreign = \"remove\" would be an administrator's decision.",
        );
        self.site
            .add_past_srvkeeper(ROGUE, &["kms2", "kms3", "kms4"])
            .await?;
        let layout = self.settings.layout;
        let what = "report the rogue";
        let seen = self
            .until(what, |heard| {
                let plan = heard.planned().filter(|plan| plan.foreign.len() == 1);
                plan.map(|plan| text::zone(plan, layout))
            })
            .await?;
        self.say(seen.trim_end());
        self.verify(&["kms2", "kms3", "kms4", ROGUE]).await
    }

    async fn network_cut(&mut self) -> Result<(), DemoError> {
        self.step(
            "Our own network is cut off, and nothing is removed",
            "A cable is pulled on our side. All hosts seem dead at once, and so does the\n\
             canary: an address, say the router's, that answers while the network works.",
        );
        for machine in [CANARY, "kms2", "kms3", "kms4"] {
            self.site.machines.kill(machine).await?;
        }
        self.until_all_are(
            State::Suspect,
            "suspect its own network while the canary is silent",
        )
        .await?;
        let mut walks = 0;
        let layout = self.settings.layout;
        let seen = self
            .until("go on walking through the zone", |heard| {
                walks += usize::from(heard.planned().is_some());
                let is_long_held =
                    |plan: &&ZonePlan| walks >= WALKS_OF_PATIENCE && plan.held.len() == 3;
                let plan = heard.planned().filter(is_long_held);
                plan.map(|plan| text::zone(plan, layout))
            })
            .await?;
        self.say(seen.trim_end());
        self.say(
            "The guard that held: canary. While it is silent, a host that fails is suspect,\n\
             not down, and keeps its record; the daemon raises an alert. Where no canary is\n\
             configured, freeze_percent holds every removal while more than half of the hosts\n\
             fail.",
        );
        self.verify(&["kms2", "kms3", "kms4", ROGUE]).await
    }

    async fn network_back(&mut self) -> Result<(), DemoError> {
        self.step(
            "The network comes back, and nothing had happened",
            "The cable is in again.",
        );
        for machine in [CANARY, "kms2", "kms3", "kms4"] {
            self.site.machines.start(machine).await?;
        }
        self.until_all_are(State::Up, "find all three hosts up again")
            .await?;
        self.verify(&["kms2", "kms3", "kms4", ROGUE]).await
    }

    /// Shows what the daemon does until it has published exactly these machines, and verifies it.
    async fn until_published(&mut self, machines: &[&str]) -> Result<(), DemoError> {
        let mut expected: Vec<String> = machines
            .iter()
            .map(|machine| format!("{machine}.{SUFFIX}"))
            .collect();
        expected.sort();
        let done = self
            .until("", |heard| {
                let plan = heard.applied()?;
                let mut after: Vec<String> = plan
                    .after
                    .iter()
                    .map(|record| record.target.to_string())
                    .collect();
                after.sort();
                (after == expected).then_some(())
            })
            .await;
        match done {
            // What DNS says then tells more than that nothing happened.
            Ok(()) | Err(DemoError::Unseen { .. }) => self.verify(machines).await,
            Err(error) => Err(error),
        }
    }

    /// Shows what the daemon does until it has seen three hosts go to that state, one after the other.
    async fn until_all_are(&mut self, state: State, what: &'static str) -> Result<(), DemoError> {
        let mut hosts = 0;
        self.until(what, |heard| {
            hosts += usize::from(heard.is_transition_to(state));
            (hosts == 3).then_some(())
        })
        .await
    }

    /// Shows what the daemon does until `is_it` says that this is it.
    async fn until<T>(
        &mut self,
        what: &'static str,
        mut is_it: impl FnMut(&Heard) -> Option<T>,
    ) -> Result<T, DemoError> {
        let deadline = Instant::now() + STEP;
        let mut shown = format!("{DIM}srvkeeper run:{DIM:#}\n");
        loop {
            let Ok(Some(heard)) = timeout_at(deadline, self.heard.recv()).await else {
                return Err(self.unseen(what));
            };
            shown.push_str(&heard.shown(self.settings.layout));
            if let Some(found) = is_it(&heard) {
                if shown.lines().count() > 1 {
                    self.say(shown.trim_end());
                }
                return Ok(found);
            }
        }
    }

    /// Begins a step: what happens.
    fn step(&mut self, title: &str, what: &str) {
        self.step += 1;
        self.say(&format!("{BOLD}{}. {title}{BOLD:#}\n{what}", self.step));
    }

    /// Reads DNS back, and shows it when exactly these machines are published.
    async fn verify(&self, machines: &[&str]) -> Result<(), DemoError> {
        let lines = self.verify_dns(machines).await?;
        let mut shown = format!("{GREEN}DNS read back, as it should be:{GREEN:#}");
        for line in lines {
            shown.push_str("\n  ");
            shown.push_str(&line);
        }
        self.say(&shown);
        Ok(())
    }

    async fn verify_dns(&self, machines: &[&str]) -> Result<Vec<String>, DemoError> {
        let expected = self.site.lines(machines);
        let found = self.site.published().await?;
        if found == expected {
            return Ok(found);
        }
        Err(DemoError::Unlike {
            step: self.step,
            expected,
            found,
        })
    }

    fn unseen(&self, what: &'static str) -> DemoError {
        DemoError::Unseen {
            step: self.step,
            what,
        }
    }

    /// Prints a paragraph.
    fn say(&self, text: &str) {
        (self.settings.print)(&format!("{text}\n\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::*;

    fn settings() -> Settings {
        Settings {
            http: None,
            once: true,
            program: "srvkeeper".into(),
            layout: text::Layout {
                width: 80,
                unicode: true,
            },
            print: |_text| {},
        }
    }

    #[tokio::test]
    async fn a_record_that_should_not_be_there_ends_the_story() {
        let folder = Folder::make().unwrap();
        let mut site = Site::open(&folder, None).await.unwrap();
        let settings = settings();
        // No daemon: nothing is ever told.
        let (_, mut heard) = mpsc::unbounded_channel();
        let (control, _) = mpsc::channel(1);
        let mut story = Story::new(&mut site, &settings, &mut heard, &control);
        story.site.add_past_srvkeeper(ROGUE, &[]).await.unwrap();
        story.step = 2;
        let error = story.until_published(&["kms1"]).await.unwrap_err();
        let port = story.site.machines.port();
        let line = |host| format!("\n    {OWNER} 3600 IN SRV 0 0 {port} {host}.corp.example.");
        assert_eq!(
            error.to_string(),
            format!(
                "step 2: DNS does not say what it should\n  expected:{}\n  found:{}",
                line("kms1"),
                line(ROGUE),
            )
        );
        site.close().await;
    }
}
