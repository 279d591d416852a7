//! What `failover` says at its end: what was stored, and what remains to do by hand.

use std::fmt::Write;

use super::lines::{Layout, fold, shortened};
use crate::model::{Host, Name, Override, Verdict};
use crate::plan::{Plan, ZonePlan};

/// Under a point its further lines are so far indented.
const INDENT: usize = 4;

/// Zones that are named before the others are only counted.
const SHOWN: usize = 5;

/// What became of a failover, as far as plans and overrides tell.
#[derive(Debug, Clone, Copy)]
pub struct Failover<'a> {
    /// The host withdrawn.
    pub from: &'a Host,
    /// The host published in its place.
    pub to: Option<&'a Host>,
    /// What was stored.
    pub overrides: &'a [Override],
    /// What held before, of these hosts and others.
    pub before: &'a [Override],
    /// True when the records are those of KMS, whose clients `slmgr` configures.
    pub is_kms: bool,
    /// Zones that had to keep the host withdrawn.
    pub still_published: &'a [Name],
    /// Zones that published the host withdrawn, and may not publish the other.
    pub without_replacement: &'a [Name],
    /// False when some zone was not done.
    pub is_complete: bool,
}

/// The words at the end.
pub fn end(failover: &Failover<'_>, layout: Layout) -> String {
    let mut lines = Lines {
        layout,
        out: String::from("\n"),
    };
    for word in failover.overrides {
        lines.paragraph(&format!("{} is {word}.", word.host));
        if let Some(former) = former(word, failover.before) {
            lines.paragraph(&format!("Before, it was {former}."));
        }
    }
    lines.paragraph("This holds through every later run. To end it earlier:");
    for word in failover.overrides {
        lines.command(&format!("srvkeeper host clear {}", word.host));
    }
    if !failover.still_published.is_empty() {
        lines.paragraph(&format!(
            "{} stays published in {}: a guard held its removal, see above. The override stands, \
             so the first run that the guard lets removes it.",
            failover.from.name(),
            shortened(failover.still_published, SHOWN)
        ));
    }
    if !failover.is_complete {
        lines.paragraph(
            "Not every zone is done, see above. The overrides stand; run the same command again \
             to complete.",
        );
    }
    lines.out.push_str("\nWhat remains to do by hand:\n");
    if failover.is_kms {
        kms(&mut lines, failover);
    } else {
        lines.point(&format!(
            "Clients that do not look up SRV records: point them at {}.",
            endpoint(failover.to)
        ));
    }
    if let (Some(to), [_, ..]) = (failover.to, failover.without_replacement) {
        lines.point(&format!(
            "{} is in no group of {}, so it is not published there; add the group, or publish \
             another host.",
            to.name(),
            shortened(failover.without_replacement, SHOWN)
        ));
    }
    lines.out
}

/// What would be stored, and what that would take the place of.
pub fn intended(overrides: &[Override], before: &[Override], layout: Layout) -> String {
    let mut lines = Lines {
        layout,
        out: String::new(),
    };
    for word in overrides {
        lines.paragraph(&format!("{} would be {word}.", word.host));
        if let Some(former) = former(word, before) {
            lines.paragraph(&format!("That would take the place of {former}."));
        }
    }
    lines.out
}

/// What the script for `nsupdate` does of a failover that could not be stored, and what it leaves
/// undone, in one line.
pub fn by_hand(plan: &Plan) -> String {
    let unreadable: Vec<&Name> = plan
        .zones
        .iter()
        .filter(|zone| zone.result.is_err())
        .map(|zone| &zone.zone)
        .collect();
    let left_alone = shortened(&unreadable, SHOWN);
    if !plan.planned().any(ZonePlan::is_pending) {
        let nothing =
            "There is nothing to run: the script on stdout has comments only, which say why";
        return match unreadable.as_slice() {
            [] => nothing.to_owned(),
            _ => format!(
                "{nothing}. Not read: {left_alone}; see that their servers answer, and run the \
                 same command again"
            ),
        };
    }
    let missing = match unreadable.as_slice() {
        [] => String::new(),
        _ => format!(
            ". It leaves alone what could not be read: {left_alone}; see that their servers answer, \
             and run the same command again for those"
        ),
    };
    format!(
        "The script on stdout does it by hand: save it, and run nsupdate -v -k KEYFILE FILE\
         {missing}. No override is stored: once the store is repaired, a later run undoes it unless \
         the failed host is still down"
    )
}

/// The override of the same host that a new one takes the place of, its end and reason included.
fn former<'a>(word: &Override, before: &'a [Override]) -> Option<&'a Override> {
    before.iter().find(|former| former.host == word.host)
}

fn kms(lines: &mut Lines, failover: &Failover<'_>) {
    lines.point("Clients with a fixed KMS host do not use discovery. On each of them:");
    lines.command(&format!("slmgr /skms {}", endpoint(failover.to)));
    if let Some(to) = failover.to {
        lines.activation_count(to);
    }
    lines.point(&format!(
        "When {} runs again, it publishes itself again within a day. To stop that, there (slmgr \
         /sdns allows it again):",
        host_name(failover.from)
    ));
    lines.command("slmgr /cdns");
}

/// Says that DNS names the host, not the machine behind it.
pub fn same_name(
    host: &Host,
    verdict: &Verdict,
    word: Option<&Override>,
    is_kms: bool,
    layout: Layout,
) -> String {
    let name = host.name();
    let mut lines = Lines {
        layout,
        out: String::new(),
    };
    lines.paragraph(&format!(
        "Nothing needs to change: the records name {name}, whatever machine that is, and it is up \
         ({}). No override was stored.",
        verdict.reason
    ));
    if let Some(word) = word {
        lines.paragraph(&format!("But {name} is {word}. To end that:"));
        lines.command(&format!("srvkeeper host clear {name}"));
    }
    let probed = match host.addresses.as_slice() {
        [] => "it was probed where its name leads".to_owned(),
        addresses => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!(
                "it was probed at {}, as the inventory says",
                addresses.join(", ")
            )
        }
    };
    lines.out.push_str("\nWhat remains to do by hand:\n");
    lines.point(&format!(
        "See that the name leads clients to the new machine ({probed}):"
    ));
    lines.command(&format!("dig {}", host_name(host)));
    if is_kms {
        lines.activation_count(host);
    }
    lines.out
}

/// `kms3.corp.example:1688`, as `slmgr` takes it.
fn endpoint(host: Option<&Host>) -> String {
    host.map_or_else(
        || "HOST:PORT of a host that stays published".to_owned(),
        |host| format!("{}:{}", host_name(host), host.srv.port),
    )
}

/// The name without the final dot, as Windows writes names.
fn host_name(host: &Host) -> String {
    let name = host.name().to_string();
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}

struct Lines {
    layout: Layout,
    out: String,
}

impl Lines {
    fn paragraph(&mut self, text: &str) {
        self.folded(text, "", 0);
    }

    fn point(&mut self, text: &str) {
        self.folded(text, "  - ", INDENT);
    }

    /// What is to be typed, unbroken.
    fn command(&mut self, text: &str) {
        let _ = writeln!(self.out, "{:INDENT$}  {text}", "");
    }

    /// A machine that was nobody's KMS host so far has to be asked by enough others first.
    fn activation_count(&mut self, host: &Host) {
        self.point(&format!(
            "A KMS host that was idle activates clients only after 25 machines have asked it, \
             servers and Office after 5. To see the count, on {}:",
            host_name(host)
        ));
        self.command("slmgr /dli");
    }

    fn folded(&mut self, text: &str, mark: &str, indent: usize) {
        let pieces = fold(text, self.layout.width.saturating_sub(indent));
        for (piece, number) in pieces.iter().zip(0..) {
            let mark = if number == 0 { mark } else { "" };
            let _ = writeln!(self.out, "{mark:<indent$}{piece}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::model::{Health, OverrideState, Role, Srv, State};

    const LAYOUT: Layout = Layout {
        width: 80,
        unicode: true,
    };

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn host(text: &str) -> Host {
        Host {
            role: Role::Active,
            srv: Srv {
                priority: 0,
                weight: 0,
                port: 1689,
                target: name(text),
            },
            groups: Vec::new(),
            addresses: Vec::new(),
            health: Health {
                checks: Vec::new(),
                command: Vec::new(),
                interval: Duration::from_secs(10),
                timeout: Duration::from_secs(3),
                rise: 2,
                fall: 3,
            },
        }
    }

    fn word(host: &str, state: OverrideState) -> Override {
        Override {
            host: name(host),
            state,
            reason: Some("disk failed".into()),
            actor: "alice".into(),
            made_at: Timestamp::UNIX_EPOCH,
            until: Timestamp::from_second(14_400).unwrap(),
        }
    }

    #[test]
    fn what_was_stored_and_what_remains() {
        let (from, to) = (host("kms1.example."), host("kms3.example."));
        let overrides = [
            word("kms1.example.", OverrideState::Down),
            word("kms3.example.", OverrideState::Up),
        ];
        let failover = Failover {
            from: &from,
            to: Some(&to),
            overrides: &overrides,
            before: &[],
            is_kms: true,
            still_published: &[],
            without_replacement: &[name("far.example.")],
            is_complete: true,
        };
        let expected = "
kms1.example. is forced down until 1970-01-01T04:00:00Z by alice: \"disk failed\".
kms3.example. is forced up until 1970-01-01T04:00:00Z by alice: \"disk failed\".
This holds through every later run. To end it earlier:
      srvkeeper host clear kms1.example.
      srvkeeper host clear kms3.example.

What remains to do by hand:
  - Clients with a fixed KMS host do not use discovery. On each of them:
      slmgr /skms kms3.example:1689
  - A KMS host that was idle activates clients only after 25 machines have asked
    it, servers and Office after 5. To see the count, on kms3.example:
      slmgr /dli
  - When kms1.example runs again, it publishes itself again within a day. To
    stop that, there (slmgr /sdns allows it again):
      slmgr /cdns
  - kms3.example. is in no group of far.example., so it is not published there;
    add the group, or publish another host.
";
        assert_eq!(end(&failover, LAYOUT), expected);
    }

    #[test]
    fn what_was_not_done_and_a_service_that_is_not_kms() {
        let from = host("ldap1.example.");
        let overrides = [word("ldap1.example.", OverrideState::Down)];
        let zones: Vec<Name> = (1..8).map(|n| name(&format!("z{n}."))).collect();
        let failover = Failover {
            from: &from,
            to: None,
            overrides: &overrides,
            before: &[],
            is_kms: false,
            still_published: &zones,
            without_replacement: &[],
            is_complete: false,
        };
        let text = end(
            &failover,
            Layout {
                width: 400,
                ..LAYOUT
            },
        );
        for expected in [
            "ldap1.example. stays published in z1., z2., z3., z4., z5. and 2 more: a guard",
            "run the same command again",
            "point them at HOST:PORT of a host that stays published.",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(!text.contains("slmgr"), "{text}");
    }

    #[test]
    fn what_an_override_takes_the_place_of_is_told() {
        let from = host("kms1.example.");
        let mut again = word("kms1.example.", OverrideState::Down);
        again.reason = None;
        let former = [
            word("kms7.example.", OverrideState::Up),
            word("kms1.example.", OverrideState::Down),
        ];
        let overrides = [again];
        assert_eq!(
            intended(&overrides, &former, LAYOUT),
            "\
kms1.example. would be forced down until 1970-01-01T04:00:00Z by alice.
That would take the place of forced down until 1970-01-01T04:00:00Z by alice:
\"disk failed\".
"
        );
        let failover = Failover {
            from: &from,
            to: None,
            overrides: &overrides,
            before: &former,
            is_kms: false,
            still_published: &[],
            without_replacement: &[],
            is_complete: true,
        };
        let expected = "
kms1.example. is forced down until 1970-01-01T04:00:00Z by alice.
Before, it was forced down until 1970-01-01T04:00:00Z by alice: \"disk failed\".
This holds";
        assert!(end(&failover, LAYOUT).starts_with(expected));
        // Nothing was replaced: nothing is said of it.
        assert!(!intended(&overrides, &former[..1], LAYOUT).contains("place"));
    }

    #[test]
    fn a_host_of_the_same_name_that_is_still_forced() {
        let host = host("kms1.example.");
        let verdict = Verdict {
            state: State::Up,
            ..Verdict::unknown("10.0.0.9 answers")
        };
        let word = word("kms1.example.", OverrideState::Down);
        let text = same_name(&host, &verdict, Some(&word), true, LAYOUT);
        let expected = "\
Nothing needs to change: the records name kms1.example., whatever machine that
is, and it is up (10.0.0.9 answers). No override was stored.
But kms1.example. is forced down until 1970-01-01T04:00:00Z by alice: \"disk
failed\". To end that:
      srvkeeper host clear kms1.example.

What remains to do by hand:
  - See that the name leads clients to the new machine (it was probed where its
    name leads):
      dig kms1.example
  - A KMS host that was idle activates clients only after 25 machines have asked
    it, servers and Office after 5. To see the count, on kms1.example:
      slmgr /dli
";
        assert_eq!(text, expected);
    }
}
