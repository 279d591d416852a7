//! The story: what happens, what srvkeeper makes of it, and what DNS says then.

use anstyle::{AnsiColor, Style};

use super::endpoint::CANARY;
use super::site::{OWNER, Run, Site};
use super::{DemoError, Settings};
use crate::model::{Canary, State};
use crate::render::text;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();

/// A desktop that no inventory has.
const ROGUE: &str = "rogue";

/// The telling of the story at one site.
pub(super) struct Story<'a, 'f> {
    site: &'a mut Site<'f>,
    settings: &'a Settings,
    /// The number of the present step.
    step: usize,
}

impl<'a, 'f> Story<'a, 'f> {
    pub(super) fn new(site: &'a mut Site<'f>, settings: &'a Settings) -> Self {
        Self {
            site,
            settings,
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
             of hosts that really answer. Here is the whole loop, on this machine alone:\n\
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
        self.site.machines.start(CANARY).await?;
        self.site.machines.start("kms1").await?;
        self.verify_dns(&[]).await?;
        self.apply().await?;
        self.verify(&["kms1"]).await
    }

    async fn two_more(&mut self) -> Result<(), DemoError> {
        self.step(
            "The second and third are found missing, and published",
            "kms2 and kms3 are up now, too. On Windows DNS only the first KMS host may write\n\
             this name by default, so further ones run for years without a record.",
        );
        self.site.machines.start("kms2").await?;
        self.site.machines.start("kms3").await?;
        self.apply().await?;
        self.verify(&["kms1", "kms2", "kms3"]).await
    }

    async fn one_dies(&mut self) -> Result<(), DemoError> {
        self.step(
            "One is killed, and removed",
            "kms2 dies. Until its record goes, every client that draws it waits in vain.\n\
             One failed probe removes nobody: it takes three in a row.",
        );
        self.site.machines.kill("kms2").await?;
        self.apply().await?;
        self.verify(&["kms1", "kms3"]).await
    }

    async fn it_lives_again(&mut self) -> Result<(), DemoError> {
        self.step(
            "It lives again, and returns",
            "kms2 has been repaired and answers.",
        );
        self.site.machines.start("kms2").await?;
        self.apply().await?;
        self.verify(&["kms1", "kms2", "kms3"]).await
    }

    async fn replacement(&mut self) -> Result<(), DemoError> {
        self.step(
            "A replacement is published",
            "kms1 goes for good, and kms4 takes its place. The administrator edits\n\
             srvkeeper.toml: kms1 gets role = \"retired\", kms4 is added. One update does both.",
        );
        self.site.machines.kill("kms1").await?;
        self.site.machines.start("kms4").await?;
        self.site.reconfigure(&[
            ("kms1", "retired"),
            ("kms2", "active"),
            ("kms3", "active"),
            ("kms4", "active"),
        ])?;
        self.apply().await?;
        self.verify(&["kms2", "kms3", "kms4"]).await
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
        let run = self.apply().await?;
        if run.plan.summary().foreign != 1 {
            return Err(self.unseen("report the rogue"));
        }
        self.verify(&["kms2", "kms3", "kms4", ROGUE]).await
    }

    async fn network_cut(&mut self) -> Result<(), DemoError> {
        self.step(
            "Our own network is cut off, and nothing is removed",
            "A cable is pulled on our side. All hosts seem dead at once, and so does the\n\
             canary: an address, say the router's, that answers while the network works.",
        );
        for machine in ["kms2", "kms3", "kms4", CANARY] {
            self.site.machines.kill(machine).await?;
        }
        let run = self.apply().await?;
        if run.canary != Canary::Silent || run.count(State::Suspect) != 3 {
            return Err(self.unseen("suspect its own network while the canary is silent"));
        }
        self.say(
            "The guard that held: canary. While it is silent, a host that fails is suspect,\n\
             not down, and only hosts that are down leave DNS. Where no canary is configured,\n\
             freeze_percent holds every removal while more than half of the hosts fail.",
        );
        self.verify(&["kms2", "kms3", "kms4", ROGUE]).await
    }

    async fn network_back(&mut self) -> Result<(), DemoError> {
        self.step(
            "The network comes back, and nothing had happened",
            "The cable is in again.",
        );
        for machine in ["kms2", "kms3", "kms4", CANARY] {
            self.site.machines.start(machine).await?;
        }
        let run = self.apply().await?;
        if run.count(State::Up) != 3 {
            return Err(self.unseen("find all three hosts up again"));
        }
        self.verify(&["kms2", "kms3", "kms4", ROGUE]).await
    }

    /// Begins a step: what happens.
    fn step(&mut self, title: &str, what: &str) {
        self.step += 1;
        self.say(&format!("{BOLD}{}. {title}{BOLD:#}\n{what}", self.step));
    }

    /// Lets srvkeeper act, and shows what it saw and did.
    async fn apply(&mut self) -> Result<Run, DemoError> {
        let layout = self.settings.layout;
        let run = self.site.apply().await?;
        let mut shown = format!("{DIM}$ srvkeeper apply --yes{DIM:#}\n");
        shown.push_str(&text::plan(&run.plan, layout));
        for report in &run.applied {
            if let Err(error) = &report.plan {
                shown.push_str(&text::error(&report.zone, error, layout));
            }
            if let Some(outcome) = &report.outcome {
                shown.push_str(&text::outcome(&report.zone, outcome, layout));
            }
        }
        self.say(shown.trim_end());
        Ok(run)
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
        let mut site = Site::open(&folder).await.unwrap();
        let settings = settings();
        let mut story = Story::new(&mut site, &settings);
        story.first_host().await.unwrap();
        story
            .site
            .add_past_srvkeeper(ROGUE, &["kms1"])
            .await
            .unwrap();
        let error = story.two_more().await.unwrap_err();
        let port = story.site.machines.port();
        let line = |host| format!("\n    {OWNER} 3600 IN SRV 0 0 {port} {host}.corp.example.");
        assert_eq!(
            error.to_string(),
            format!(
                "step 2: DNS does not say what it should\n  expected:{}{}{}\n  found:{}{}{}{}",
                line("kms1"),
                line("kms2"),
                line("kms3"),
                line("kms1"),
                line("kms2"),
                line("kms3"),
                line(ROGUE),
            )
        );
        site.close().await;
    }
}
