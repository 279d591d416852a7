//! The copies that clients ask: the zone's name servers, and those that its parent knows.

use jiff::{SignedDuration, Timestamp};

use super::evidence::{
    CopyEvidence, CopyState, Delegation, Evidence, Reading, ServerEvidence, ZoneEvidence,
};
use super::repairs::{self, Place, Repair};
use super::zones::is_ahead;
use super::{Check, Finding, Level};
use crate::model::{Name, Observed};

pub(super) fn name_servers(zone: &ZoneEvidence, evidence: &Evidence) -> Vec<Finding> {
    let check = Check::NameServers;
    let copies = match &zone.copies {
        None => return Vec::new(),
        Some(Err(why)) => {
            let text = "the zone's name servers are not known";
            return vec![Finding::new(check, Level::CannotTell, text).seen(why.clone())];
        }
        Some(Ok(copies)) => copies,
    };
    let Some((reading, observed)) = zone.first() else {
        return Vec::new();
    };
    let server = evidence.servers.get(reading.server);
    let is_directory = server.is_some_and(ServerEvidence::is_directory);
    let comparison = Comparison {
        check,
        observed,
        reading,
        is_directory,
        now: evidence.now,
    };
    comparison.findings(copies)
}

pub(super) fn delegation(zone: &ZoneEvidence) -> Vec<Finding> {
    let Some(delegation) = &zone.delegation else {
        return Vec::new();
    };
    let Delegation {
        zone: delegated,
        told,
        copies,
    } = delegation;
    let check = Check::Delegation;
    let (parent, names) = match told {
        Ok(told) => told,
        Err(why) => {
            let text = format!("the parent of {delegated} could not be asked who serves it");
            return vec![Finding::new(check, Level::CannotTell, text).seen(why.clone())];
        }
    };
    let here = zone.first().map(|(_reading, observed)| observed);
    if names.is_empty() {
        let text = format!(
            "the parent does not delegate {delegated}, so nobody finds the records that are kept here"
        );
        return vec![
            Finding::new(check, Level::Failure, text)
                .seen(format!("{parent} gives no NS records of {delegated}"))
                .repaired_by([Repair::new(
                    Place::Zone,
                    "delegate in the parent zone, to a name with an address record",
                    [format!("{delegated} 3600 IN NS NAME-OF-THE-SERVER.")],
                )]),
        ];
    }
    let mut findings = Vec::new();
    let mut serving = 0_usize;
    for copy in copies {
        let name = place(copy);
        match &copy.state {
            CopyState::Read(observed)
                if here.is_none_or(|here| here.records == observed.records) =>
            {
                serving += 1;
            }
            CopyState::Read(observed) => findings.push(
                Finding::new(
                    check,
                    Level::Warning,
                    format!("the parent delegates {delegated} to {name}, which has other records"),
                )
                .seen(records(observed)),
            ),
            CopyState::NotResolved(why) => findings.push(
                Finding::new(
                    check,
                    Level::CannotTell,
                    format!(
                        "the parent delegates {delegated} to {name}, which could not be looked up"
                    ),
                )
                .seen(why.clone()),
            ),
            CopyState::NoAddress => findings.push(Finding::new(
                check,
                Level::Failure,
                format!("the parent delegates {delegated} to {name}, which has no address"),
            )),
            CopyState::NoRoute => findings.push(Finding::new(
                check,
                Level::CannotTell,
                format!(
                    "the parent delegates {delegated} to {name}, to which this machine has no route"
                ),
            )),
            CopyState::NotRead(why) => findings.push(
                Finding::new(
                    check,
                    Level::Failure,
                    format!("the parent delegates {delegated} to {name}, which does not serve it"),
                )
                .seen(why.clone()),
            ),
        }
    }
    if findings.is_empty() {
        let text = match serving {
            1 => format!("the parent delegates {delegated} to a server with these records"),
            _ => format!(
                "the parent delegates {delegated} to {serving} servers, all with these records"
            ),
        };
        findings.push(Finding::new(check, Level::Pass, text));
    }
    findings
        .into_iter()
        .map(|finding| finding.seen(format!("asked {parent}: NS {}", list(names))))
        .collect()
}

fn list(names: &[Name]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(" ")
}

fn place(copy: &CopyEvidence) -> String {
    match copy.address {
        Some(address) => format!("{} ({address})", copy.name),
        None => copy.name.to_string(),
    }
}

fn records(observed: &Observed) -> String {
    let records: Vec<String> = observed.records.iter().map(ToString::to_string).collect();
    let said = match records.as_slice() {
        [] => "no records".to_owned(),
        _ => records.join("; "),
    };
    format!("serial {}: {said}", observed.serial)
}

/// The RRset as it is where it is written, to compare copies with.
struct Comparison<'a> {
    check: Check,
    observed: &'a Observed,
    reading: &'a Reading,
    /// Each server has serials of its own.
    is_directory: bool,
    now: Timestamp,
}

impl Comparison<'_> {
    fn findings(&self, copies: &[CopyEvidence]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut same = 0_usize;
        for copy in copies {
            match self.finding(copy) {
                Some(finding) => findings.push(finding),
                None => same += 1,
            }
        }
        if findings.is_empty() {
            let text = match same {
                0 => "the zone has no NS records that could be asked".to_owned(),
                1 => "its one name server has these records".to_owned(),
                _ => format!("all {same} addresses of its name servers have these records"),
            };
            let level = if same == 0 {
                Level::Warning
            } else {
                Level::Pass
            };
            findings.push(Finding::new(self.check, level, text));
        }
        findings
    }

    /// `None`: the copy is as it should be.
    fn finding(&self, copy: &CopyEvidence) -> Option<Finding> {
        let name = place(copy);
        let finding = |level, text: String| Some(Finding::new(self.check, level, text));
        match &copy.state {
            CopyState::Read(observed) if self.is_same(observed) => None,
            CopyState::Read(observed) => Some(self.differs(&name, observed)),
            CopyState::NoAddress => finding(
                Level::Warning,
                format!("the name server {name} has no address, so nobody can ask it"),
            ),
            CopyState::NotResolved(why) => finding(
                Level::CannotTell,
                format!("the name server {name} could not be looked up"),
            )
            .map(|finding| finding.seen(why.clone())),
            CopyState::NoRoute => finding(
                Level::CannotTell,
                format!("this machine has no route to the name server {name}"),
            ),
            CopyState::NotRead(why) => finding(
                Level::Warning,
                format!("the name server {name} does not serve the records, so some clients wait or fail"),
            )
            .map(|finding| finding.seen(why.clone())),
        }
    }

    /// A server may serve another TTL than the one it was given; an older one is none of that.
    fn is_same(&self, copy: &Observed) -> bool {
        copy.records == self.observed.records
            && (copy.ttl == self.observed.ttl || !is_ahead(self.observed.serial, copy.serial))
    }

    fn differs(&self, name: &str, copy: &Observed) -> Finding {
        let lags = is_ahead(self.observed.serial, copy.serial);
        let (text, repairs) = if self.is_directory {
            (
                format!("{name} has other records: the change has not been replicated there yet"),
                repairs::replicate(),
            )
        } else if lags {
            (
                format!("{name} has an older copy of the zone"),
                repairs::transfer(&self.observed.update_zone),
            )
        } else {
            (
                format!(
                    "{name} has other records and no older serial: it may be a primary of its own"
                ),
                Vec::new(),
            )
        };
        let finding = Finding::new(self.check, Level::Warning, text)
            .seen(format!("there: {}", records(copy)))
            .seen(format!("here: {}", records(self.observed)))
            .repaired_by(repairs);
        match self.until(copy) {
            Some(until) if lags && !self.is_directory => finding.seen(until),
            _ => finding,
        }
    }

    /// Until when clients may be given what the copy has.
    fn until(&self, copy: &Observed) -> Option<String> {
        let start = self.reading.start.as_ref()?;
        // A resolver that asked last keeps the answer for as long as it may.
        let kept = copy.ttl.unwrap_or(start.negative_ttl);
        let after = |seconds: u32| {
            let seconds = i64::from(seconds) + i64::from(kept);
            self.now
                .checked_add(SignedDuration::from_secs(seconds))
                .ok()
        };
        let (soon, late) = (after(start.refresh)?, after(start.expire)?);
        Some(format!(
            "resolvers may keep the old answer until {}: {} s until it asks again, and {kept} s of TTL; while it reaches no primary, until {}",
            second(soon),
            start.refresh,
            second(late)
        ))
    }
}

/// To the second.
fn second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
