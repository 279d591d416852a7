//! What the log tells of a daemon's life; what lasts is told once and not with each look at a zone.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use tracing::{Level, debug, enabled, info, warn};

use super::batch::Obstacle;
use super::polling::Said;
use super::{Options, may_write};
use crate::config::{Config, Mode};
use crate::model::{Alert, AlertKind, Name, Outcome};
use crate::plan::{ZoneError, ZonePlan};

/// What was told last of each zone, by index.
///
/// Digests, since the texts of ten thousand zones would take memory. They begin anew with each
/// configuration, so that a reload tells once more what is pending.
#[derive(Debug, Default)]
pub(super) struct Telling(BTreeMap<usize, u64>);

impl Telling {
    /// Tells what is pending in the zone, and why it is not written: each change, where these are
    /// others than those told last.
    pub(super) fn pending(&mut self, zone: usize, plan: &ZonePlan, why: &Obstacle) {
        if !enabled!(Level::INFO) {
            return;
        }
        let number = plan.changes.len();
        // The text of a reason may count on from look to look.
        let changes = plan.changes.iter();
        let changes: Vec<_> = changes
            .map(|change| (&change.kind, change.reason.code))
            .collect();
        if !self.is_news(zone, ("pending", why.to_string(), changes)) {
            debug!(zone = %plan.zone, changes = number, "changes are pending, and nothing is written: {why}");
            return;
        }
        info!(zone = %plan.zone, changes = number, "changes are pending, and nothing is written: {why}");
        for change in &plan.changes {
            info!(zone = %plan.zone, owner = %plan.owner, "pending: {change}");
        }
    }

    /// Tells why the zone cannot be read, where its alert does not, and where this is another reason
    /// than the one told last.
    pub(super) fn unreadable(
        &mut self,
        zone: usize,
        name: &Name,
        error: &ZoneError,
        is_raised: bool,
    ) {
        let is_news = self.is_news(zone, ("unreadable", &error.text));
        if is_news && !is_raised {
            warn!(kind = %AlertKind::Unreadable, zone = %name, "{error}");
        } else {
            debug!(zone = %name, "{error}");
        }
    }

    /// Tells why an update of the zone was not applied, where this is another reason than the one
    /// told last.
    pub(super) fn failed(&mut self, zone: usize, name: &Name, outcome: &Outcome) {
        let Outcome { kind, text, .. } = outcome;
        if self.is_news(zone, ("failed", kind.as_str(), text)) {
            warn!(zone = %name, outcome = %kind, "{text}");
        } else {
            debug!(zone = %name, outcome = %kind, "{text}");
        }
    }

    /// Nothing is pending in the zone: what will be, is news.
    pub(super) fn nothing(&mut self, zone: usize) {
        self.0.remove(&zone);
    }

    /// Takes what is to be told of the zone, and says whether something else was told last.
    fn is_news(&mut self, zone: usize, told: impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        told.hash(&mut hasher);
        let digest = hasher.finish();
        self.0.insert(zone, digest) != Some(digest)
    }
}

/// Tells what the daemon works with from now on.
pub(super) fn configuration(
    what: &str,
    config: &Config,
    options: Options,
    http: Option<SocketAddr>,
) {
    let mode = match (may_write(config, options), config.daemon.mode) {
        (true, _) => "enforce",
        (false, Mode::Enforce) => "audit, by --audit",
        (false, Mode::Audit) => "audit",
    };
    info!(
        version = env!("CARGO_PKG_VERSION"),
        config = %config.file.display(),
        mode,
        zones = config.zones.len(),
        hosts = config.hosts.len(),
        http = http.map(tracing::field::display),
        "{what}"
    );
}

/// Tells an alert that was raised.
pub(super) fn alert(alert: &Alert) {
    warn!(
        kind = %alert.kind,
        zone = alert.zone.as_ref().map(tracing::field::display),
        host = alert.host.as_ref().map(tracing::field::display),
        "{}",
        alert.text
    );
}

/// Tells what operators say of the host now, and did not say before.
pub(super) fn word(host: &Name, before: &Said, now: &Said) {
    match (now.word_on(host), before.word_on(host)) {
        (Some(word), _) => info!(%host, "{word}"),
        (None, Some(word)) => {
            info!(%host, "no longer forced {}: the override by {} ended", word.state, word.actor);
        }
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use jiff::Timestamp;

    use super::*;
    use crate::model::{
        Change, ChangeKind, OutcomeKind, Override, OverrideState, Reason, ReasonCode, Srv,
    };

    /// What is logged, line by line.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged at info and above meanwhile.
    fn logged(tell: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_max_level(Level::INFO)
            .with_target(false)
            .with_ansi(false)
            .without_time()
            .finish();
        tracing::subscriber::with_default(subscriber, tell);
        let octets = log.0.lock().unwrap().clone();
        let text = String::from_utf8(octets).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    /// A plan that removes these hosts for this reason.
    fn plan(hosts: &[&str], why: &str) -> ZonePlan {
        let changes = hosts.iter().map(|host| Change {
            kind: ChangeKind::Delete {
                before: Srv {
                    priority: 0,
                    weight: 0,
                    port: 1688,
                    target: name(host),
                },
                before_ttl: 60,
            },
            reason: Reason {
                code: ReasonCode::HostDown,
                text: why.to_owned(),
            },
        });
        ZonePlan {
            changes: changes.collect(),
            ..ZonePlan::empty()
        }
    }

    fn withheld(why: &str) -> Obstacle {
        Obstacle::Withheld(why.to_owned())
    }

    #[test]
    fn pending_changes_are_named_once_until_they_are_others() {
        let mut telling = Telling::default();
        let audit = withheld("audit");
        let one = plan(&["kms1."], "3 samples failed");
        let told = logged(|| telling.pending(0, &one, &audit));
        assert_eq!(
            told,
            [
                "INFO changes are pending, and nothing is written: audit zone=corp.example. changes=1",
                "INFO pending: delete 0 0 1688 kms1. ttl=60 (host-down: 3 samples failed) \
                 zone=corp.example. owner=_vlmcs._tcp.corp.example.",
            ]
        );
        let later = plan(&["kms1."], "4 samples failed");
        let both = plan(&["kms1.", "kms2."], "3 samples failed");
        let paused = withheld("paused");
        // Looks at the zone in turn, and how many lines each is worth.
        for (zone, plan, why, lines) in [
            (0, &one, &audit, 0),
            (0, &later, &audit, 0),
            (1, &one, &audit, 2),
            (0, &both, &audit, 3),
            (0, &both, &audit, 0),
            (0, &both, &paused, 3),
            (0, &one, &paused, 2),
        ] {
            let told = logged(|| telling.pending(zone, plan, why));
            assert_eq!(told.len(), lines, "{told:#?}");
        }
        telling.nothing(0);
        let told = logged(|| telling.pending(0, &one, &paused));
        assert_eq!(told.len(), 2, "{told:#?}");
    }

    #[test]
    fn why_a_zone_cannot_be_read_is_told_once_for_each_reason() {
        let mut telling = Telling::default();
        let zone = name("corp.example.");
        for (text, is_raised, told) in [
            // The alert says it.
            ("refused", true, None),
            ("refused", false, None),
            ("timed out", false, Some("timed out")),
            ("timed out", false, None),
            ("refused", false, Some("refused")),
        ] {
            let error = ZoneError {
                server: None,
                text: text.to_owned(),
            };
            let log = logged(|| telling.unreadable(0, &zone, &error, is_raised));
            let expected =
                told.map(|text| format!("WARN {text} kind=unreadable zone=corp.example."));
            assert_eq!(log, Vec::from_iter(expected));
        }
    }

    #[test]
    fn an_update_that_fails_again_and_again_is_told_once() {
        let mut telling = Telling::default();
        let zone = name("corp.example.");
        let refused = |text: &str| Outcome {
            kind: OutcomeKind::Refused,
            text: text.to_owned(),
            rcode: None,
            serial: None,
        };
        for (text, lines) in [("no right", 1), ("no right", 0), ("no key", 1)] {
            let log = logged(|| telling.failed(0, &zone, &refused(text)));
            let line = format!("WARN {text} zone=corp.example. outcome=refused");
            assert_eq!(log, vec![line; lines]);
        }
        telling.nothing(0);
        let log = logged(|| telling.failed(0, &zone, &refused("no key")));
        assert_eq!(log.len(), 1);
    }

    #[test]
    fn an_alert_names_the_zone_and_the_host_where_it_has_them() {
        for (zone, host, fields) in [
            (None, None, ""),
            (Some("corp.example."), None, " zone=corp.example."),
            (
                Some("corp.example."),
                Some("kms1."),
                " zone=corp.example. host=kms1.",
            ),
        ] {
            let raised = Alert {
                kind: AlertKind::Held,
                zone: zone.map(name),
                host: host.map(name),
                text: "one too many".to_owned(),
            };
            let log = logged(|| alert(&raised));
            assert_eq!(log, [format!("WARN one too many kind=held{fields}")]);
        }
    }

    #[test]
    fn an_operators_word_is_told_as_it_is_and_when_it_ends() {
        let host = name("kms1.");
        let made = |state, until| Override {
            host: host.clone(),
            state,
            reason: Some("patching".to_owned()),
            actor: "alice".to_owned(),
            made_at: Timestamp::UNIX_EPOCH,
            until: Timestamp::from_second(until).unwrap(),
        };
        let said = |word: Option<Override>| Said {
            overrides: Vec::from_iter(word),
            ..Said::default()
        };
        let (down, up) = (made(OverrideState::Down, 60), made(OverrideState::Up, 120));
        for (before, now, told) in [
            (
                None,
                Some(&down),
                "forced down until 1970-01-01T00:01:00Z by alice: \"patching\"",
            ),
            (
                Some(&down),
                Some(&up),
                "forced up until 1970-01-01T00:02:00Z by alice: \"patching\"",
            ),
            (
                Some(&up),
                None,
                "no longer forced up: the override by alice ended",
            ),
        ] {
            let (before, now) = (said(before.cloned()), said(now.cloned()));
            let log = logged(|| word(&host, &before, &now));
            assert_eq!(log, [format!("INFO {told} host=kms1.")]);
        }
    }
}
