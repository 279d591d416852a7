//! Where one scenario is played on one server, and what must hold there whatever the server does.

use std::net::SocketAddr;

use crate::support::{
    Fate, Proxy, RIVAL, Run, SRVKEEPER, Site, TsigKey, UNGRANTED, ZoneText, dig, nsupdate, outcomes,
};

/// With whose key srvkeeper writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// May change the RRset.
    Good,
    /// Known to the server, and may change nothing.
    ReadOnly,
    /// The name of the good one with another secret.
    Wrong,
}

/// Why a scenario cannot be played on a server.
pub(crate) type Impossible = &'static str;

/// Sends updates, such as `update add …`, behind srvkeeper's back.
pub(crate) type Writer = Box<dyn Fn(&str) + Send>;

/// A server of one kind, with a suffix for each scenario.
pub(crate) trait Server {
    /// Its column in the document.
    fn title(&self) -> &'static str;
    /// Where it answers.
    fn address(&self) -> SocketAddr;
    /// The clients' DNS suffix in a scenario; a zone of the server unless it says otherwise.
    fn suffix(&self, scenario: &str) -> String {
        suffix(scenario)
    }
    /// Adds records to a suffix that has none yet, where that was not done with the zones.
    fn prepare(&self, _lines: &[String]) {}
    /// An installation whose server, called `primary`, is met at this address.
    fn site(&self, address: SocketAddr, key: Key) -> Result<Site, Impossible> {
        Ok(tsig_site(address, key))
    }
    /// What Kerberos needs to know.
    fn environment(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// A second writer, to be called while an update is under way.
    fn second_writer(&self) -> Result<Writer, Impossible> {
        Ok(by_nsupdate(self.address(), RIVAL))
    }
    /// Whether it signs zones.
    fn signs(&self) -> Result<(), Impossible> {
        Ok(())
    }
    /// Freezes a zone.
    fn freeze(&self, _zone: &str) -> Result<(), Impossible> {
        Err("it freezes no zones")
    }
    /// Ends that.
    fn thaw(&self, _zone: &str) {}
}

/// An installation that signs with TSIG.
pub(super) fn tsig_site(address: SocketAddr, key: Key) -> Site {
    let key = match key {
        Key::Good => SRVKEEPER,
        Key::ReadOnly => UNGRANTED,
        Key::Wrong => TsigKey {
            secret: "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I=",
            ..SRVKEEPER
        },
    };
    Site::new().server("primary", address, key)
}

/// Writes with `nsupdate`.
pub(super) fn by_nsupdate(address: SocketAddr, key: TsigKey) -> Writer {
    Box::new(move |script| nsupdate(address, key, script))
}

/// What came of one scenario on one server.
pub(crate) struct Cell {
    /// What the server answered to each update; empty when none was sent.
    pub(crate) server: String,
    /// What srvkeeper reported.
    pub(crate) reported: String,
}

impl Cell {
    pub(crate) fn impossible(why: Impossible) -> Self {
        Self {
            server: why.to_owned(),
            reported: "not possible".to_owned(),
        }
    }
}

/// The suffix of a scenario on a server with a zone for each.
pub(super) fn suffix(scenario: &str) -> String {
    format!("{scenario}.example.")
}

/// The zone of a scenario, for servers that get all of theirs when they start.
pub(super) fn zone_text(scenario: &str, lines: &[String], signed: bool) -> ZoneText {
    let zone = lines
        .iter()
        .fold(ZoneText::new(&suffix(scenario)), |zone, line| {
            zone.record(line)
        });
    match signed {
        true => zone.signed(),
        false => zone,
    }
}

/// One scenario on one server.
pub(crate) struct Stage<'s> {
    pub(crate) server: &'s dyn Server,
    pub(crate) suffix: String,
    pub(crate) proxy: Proxy,
    before: Vec<String>,
    /// True when somebody else writes before our update arrives.
    is_raced: bool,
}

impl<'s> Stage<'s> {
    /// Opens it: the server has these records, and a relay before it that sees all updates.
    pub(crate) fn open(server: &'s dyn Server, scenario: &str, lines: &[String]) -> Self {
        let stage = Self::open_with(server, scenario, lines, |_ordinal| {});
        Self {
            is_raced: false,
            ..stage
        }
    }

    /// As [`Stage::open`]; `before_update` is called with 1, 2, … before an update arrives.
    pub(crate) fn open_with(
        server: &'s dyn Server,
        scenario: &str,
        lines: &[String],
        before_update: impl Fn(usize) + Send + 'static,
    ) -> Self {
        server.prepare(lines);
        let proxy = Proxy::start(server.address(), move |ordinal| {
            before_update(ordinal);
            Fate::Pass
        });
        let mut stage = Self {
            server,
            suffix: server.suffix(scenario),
            proxy,
            before: Vec::new(),
            is_raced: true,
        };
        stage.before = stage.published();
        stage
    }

    /// The RRset's owner.
    pub(crate) fn owner(&self) -> String {
        format!("_vlmcs._tcp.{}", self.suffix)
    }

    /// The RRset as dig shows it, in lower case.
    pub(crate) fn published(&self) -> Vec<String> {
        let mut lines: Vec<String> = dig(self.server.address(), &self.owner(), "SRV")
            .iter()
            .map(|line| line.to_lowercase())
            .collect();
        lines.sort();
        lines
    }

    /// A host's record as dig shows it.
    pub(crate) fn line(&self, host: &str) -> String {
        format!("3600 0 0 1688 {host}.{}", self.suffix)
    }

    /// An installation with these hosts, which are up, each with further keys.
    pub(crate) fn site(&self, key: Key, hosts: &[(&str, &str)]) -> Result<Site, Impossible> {
        let site = self.server.site(self.proxy.address, key)?;
        Ok(hosts
            .iter()
            .fold(site, |site, (host, more)| {
                site.trusted_host(&format!("{host}.{}", self.suffix), more)
            })
            .zone(&self.suffix))
    }

    /// `apply --yes`, with these variables too.
    pub(crate) fn apply(&self, site: &Site, more: &[(&'static str, String)]) -> Run {
        let environment = self.server.environment();
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .chain(more)
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        site.run_in(&environment, &["apply", "--yes"])
    }

    /// Applies, and holds the report against what dig shows.
    ///
    /// `planned` is the RRset that must be there when it was applied, `kept` lines that must be
    /// there in any case, and `named` what a failure must name, the first that it does.
    pub(crate) fn expect(
        &self,
        site: &Site,
        environment: &[(&'static str, String)],
        planned: &[String],
        kept: &[String],
        named: &[&str],
    ) -> Cell {
        let run = self.apply(site, environment);
        self.judge(site, &run, planned, kept, named)
    }

    fn judge(
        &self,
        site: &Site,
        run: &Run,
        planned: &[String],
        kept: &[String],
        named: &[&str],
    ) -> Cell {
        let mut reported = outcomes(site);
        reported.reverse();
        let shown = self.published();
        let mut planned = planned.to_vec();
        planned.sort();
        let title = self.server.title();
        let is_applied = reported.last().is_some_and(|word| word == "applied");
        // Only what happened behind our back may look like the plan after a failure.
        let is_planned = shown == planned && (is_applied || !self.is_raced);
        assert_eq!(is_applied, is_planned, "{title}: {shown:?}\n{run}");
        for line in kept {
            assert!(shown.contains(line), "{title}: no {line} in {shown:?}");
        }
        let (sent, answers) = (self.proxy.updates(), self.proxy.answers());
        if is_applied {
            run.expect(0);
            assert!(sent > 0, "{title}: applied without an update\n{run}");
        } else {
            run.expect(1);
            run.expect_text(&self.proxy.address.to_string());
            let text = run.to_string();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let name = named.iter().find(|name| text.contains(**name));
            assert!(name.is_some(), "{title}: none of {named:?} in\n{run}");
            assert!(
                shown == self.before || self.is_raced && shown == planned,
                "{title}: not applied, but {shown:?}"
            );
        }
        let server = match (sent, answers.len()) {
            (0, _) => match self.proxy.refused_reads().first() {
                Some(answer) => format!("to the read: {answer}"),
                None => String::new(),
            },
            (sent, answered) if answered < sent => "no answer".to_owned(),
            _ => answers.join(", then "),
        };
        if reported.is_empty() {
            assert_eq!(sent, 0, "{title}: an update without an outcome");
            reported.push("unreadable zone".to_owned());
        }
        Cell {
            server,
            reported: reported.join(", then "),
        }
    }
}
