//! The RRset as read against the RRset as it should be, record by record.

use std::cmp::Ordering;

use crate::model::{
    Change, ChangeKind, Changes, ContestKind, Foreign, Name, Publisher, Reason, ReasonCode, Role,
    Srv,
};

use super::PlanInput;
use super::contest::contested;
use super::desired::{Entry, Intention};
use super::guard::{Withheld, policy_text};
use super::report::{ForeignRecord, Guard, Held, ZonePlan};

/// What happens to one record, before TTLs are known.
#[derive(Debug)]
enum Step<'a> {
    /// A record that stays; `ours` when it belongs to an inventory host.
    Stay {
        record: &'a Srv,
        ours: bool,
    },
    Create {
        after: Srv,
        reason: Reason,
    },
    Update {
        before: &'a Srv,
        after: Srv,
        reason: Reason,
    },
    Delete {
        before: &'a Srv,
        reason: Reason,
    },
}

/// Builds the plan: what is withheld becomes held, the rest becomes changes.
pub(super) fn changes(
    input: &PlanInput<'_>,
    entries: &[Entry<'_>],
    withheld: &Withheld,
) -> ZonePlan {
    let mut steps = Steps {
        input,
        done: Vec::with_capacity(input.observed.records.len()),
        held: Vec::new(),
    };
    let mut removed = Vec::new();
    for (entry, guard) in entries.iter().zip(&withheld.hosts) {
        match entry.intention {
            Intention::Publish(code) => steps.create(entry, code),
            Intention::Leave => steps.keep(entry),
            Intention::Refrain(code) => steps.refrain(entry, code),
            // Never removed, whatever the guards say.
            Intention::Spare => match guard {
                Some(_) => steps.withdraw(entry, ReasonCode::HostDown, guard.as_ref()),
                None => steps.keep(entry),
            },
            Intention::Withdraw(code) => {
                steps.withdraw(entry, code, guard.as_ref());
                if guard.is_none() {
                    removed.push(entry.host.name().clone());
                }
            }
        }
    }
    let foreign = steps.foreign(entries, withheld.foreign.as_ref());
    let mut plan = steps.finish(foreign);
    removed.sort();
    plan.removed = removed;
    plan.short_of_hosts = withheld.short_of_hosts;
    plan
}

struct Steps<'a, 'b> {
    input: &'b PlanInput<'a>,
    done: Vec<Step<'a>>,
    held: Vec<(Step<'a>, Guard, String)>,
}

impl<'a> Steps<'a, '_> {
    fn policy(&self) -> Changes {
        self.input.zone.policy.changes
    }

    fn create(&mut self, entry: &Entry<'a>, code: ReasonCode) {
        self.done.push(creation(entry, code));
    }

    /// A host that would be published, were its record not deleted each time.
    fn refrain(&mut self, entry: &Entry<'a>, code: ReasonCode) {
        let name = entry.host.name();
        if let Some((guard, text)) = contested(self.input, name, ContestKind::Vanishes) {
            self.held.push((creation(entry, code), guard, text));
        }
    }

    fn withdraw(&mut self, entry: &Entry<'a>, code: ReasonCode, guard: Option<&(Guard, String)>) {
        for record in entry.published {
            let reason = Reason {
                code,
                text: withdraw_text(entry, code),
            };
            self.delete_unless(record, reason, guard, true);
        }
    }

    /// A host that stays published: one record of it, with the inventory's data.
    fn keep(&mut self, entry: &Entry<'a>) {
        let desired = &entry.host.srv;
        let Some(kept) = self.choose(entry) else {
            return;
        };
        for record in entry.published {
            if std::ptr::eq(record, kept) {
                self.keep_one(entry, record);
            } else if self.is_shared() && self.stands(record, desired) {
                self.done.push(Step::Stay { record, ours: true });
            } else {
                let reason = Reason {
                    code: ReasonCode::Duplicate,
                    text: format!("a second record of {}", entry.host.name()),
                };
                let guard = self
                    .policy_guard(Changes::Sync)
                    .or_else(|| contested(self.input, &desired.target, ContestKind::Rewrites));
                self.delete_unless(record, reason, guard.as_ref(), true);
            }
        }
    }

    /// The record to keep of several: the right one in the inventory's spelling, the right one, any.
    fn choose(&self, entry: &Entry<'a>) -> Option<&'a Srv> {
        let desired = &entry.host.srv;
        entry
            .published
            .iter()
            .find(|record| record.same_spelling(desired))
            .or_else(|| {
                entry
                    .published
                    .iter()
                    .find(|record| self.stands(record, desired))
            })
            .or_else(|| entry.published.first())
    }

    fn keep_one(&mut self, entry: &Entry<'a>, record: &'a Srv) {
        let desired = &entry.host.srv;
        if self.stands(record, desired) {
            self.done.push(Step::Stay { record, ours: true });
            return;
        }
        let after = if self.is_shared() {
            Srv {
                port: desired.port,
                ..record.clone()
            }
        } else {
            desired.clone()
        };
        let reason = Reason {
            code: ReasonCode::DataDrift,
            text: drift_text(record, &after),
        };
        let step = Step::Update {
            before: record,
            after,
            reason,
        };
        let guard = self
            .policy_guard(Changes::UpsertOnly)
            .or_else(|| contested(self.input, &desired.target, ContestKind::Rewrites));
        match guard {
            Some((guard, text)) => {
                self.done.push(Step::Stay { record, ours: true });
                self.held.push((step, guard, text));
            }
            None => self.done.push(step),
        }
    }

    /// The change policy, where it allows less than `needed`.
    fn policy_guard(&self, needed: Changes) -> Option<(Guard, String)> {
        let allowed = self.policy();
        let enough = allowed == Changes::Sync || allowed == needed;
        (!enough).then(|| (Guard::Policy, policy_text(allowed)))
    }

    fn is_shared(&self) -> bool {
        self.input.zone.policy.publisher == Publisher::Shared
    }

    /// True when the record's data is as it may be; letter case never counts as drift, since
    /// servers that store lower case (Knot) could not be brought to another.
    fn stands(&self, record: &Srv, desired: &Srv) -> bool {
        if self.is_shared() {
            record.port == desired.port
        } else {
            record == desired
        }
    }

    fn delete_unless(
        &mut self,
        record: &'a Srv,
        reason: Reason,
        guard: Option<&(Guard, String)>,
        ours: bool,
    ) {
        let step = Step::Delete {
            before: record,
            reason,
        };
        match guard {
            Some((guard, text)) => {
                self.done.push(Step::Stay { record, ours });
                self.held.push((step, *guard, text.clone()));
            }
            None => self.done.push(step),
        }
    }

    /// Records whose target is none of the zone's hosts.
    fn foreign(
        &mut self,
        entries: &[Entry<'a>],
        guard: Option<&(Guard, String)>,
    ) -> Vec<ForeignRecord> {
        // Every record belongs to a host, as in most zones most of the time.
        let explained: usize = entries.iter().map(|entry| entry.published.len()).sum();
        if explained == self.input.observed.records.len() {
            return Vec::new();
        }
        let mut names: Vec<&Name> = entries.iter().map(|entry| entry.host.name()).collect();
        names.sort();
        let mut found = Vec::new();
        for record in &self.input.observed.records {
            if names.binary_search(&&record.target).is_ok() {
                continue;
            }
            let text = foreign_text(self.input, record);
            if self.input.zone.policy.foreign == Foreign::Remove {
                let reason = Reason {
                    code: ReasonCode::ForeignRecord,
                    text: text.clone(),
                };
                let own = self
                    .policy_guard(Changes::Sync)
                    .or_else(|| contested(self.input, &record.target, ContestKind::Returns));
                self.delete_unless(record, reason, own.as_ref().or(guard), false);
            } else {
                self.done.push(Step::Stay {
                    record,
                    ours: false,
                });
            }
            found.push(ForeignRecord {
                record: record.clone(),
                text,
            });
        }
        found
    }

    /// Settles the RRset's TTL and turns the steps into the plan.
    fn finish(self, foreign: Vec<ForeignRecord>) -> ZonePlan {
        let input = self.input;
        let ttl = self.ttl();
        let before_ttl = input.observed.ttl.unwrap_or(ttl.after);
        let mut changes = Vec::new();
        let mut held: Vec<Held> = self
            .held
            .into_iter()
            .map(|(step, guard, text)| Held {
                change: into_change(step, before_ttl, ttl.after),
                guard,
                text,
            })
            .collect();
        let mut after = Vec::with_capacity(self.done.len());
        let mut unchanged = 0;
        for step in self.done {
            match &step {
                Step::Create { after: record, .. } | Step::Update { after: record, .. } => {
                    after.push(record.clone());
                }
                Step::Stay { record, .. } => after.push((*record).clone()),
                Step::Delete { .. } => {}
            }
            match step {
                Step::Stay { record, ours } if !ttl.changes => match &ttl.held {
                    Some(text) => held.push(Held {
                        change: ttl_change(record, before_ttl, input.zone.ttl),
                        guard: Guard::Policy,
                        text: text.clone(),
                    }),
                    None => unchanged += usize::from(ours && !is_held(&held, record)),
                },
                Step::Stay { record, .. } => {
                    changes.push(ttl_change(record, before_ttl, ttl.after));
                }
                step => changes.push(into_change(step, before_ttl, ttl.after)),
            }
        }
        after.sort();
        changes.sort_by(by_record);
        held.sort_by(|a, b| by_record(&a.change, &b.change));
        ZonePlan {
            zone: input.zone.name.clone(),
            owner: input.zone.owner.clone(),
            observed: input.observed.clone(),
            changes,
            held,
            foreign,
            unchanged,
            after_ttl: (!after.is_empty()).then_some(ttl.after),
            after,
            removed: Vec::new(),
            short_of_hosts: None,
        }
    }

    /// The TTL afterwards. A TTL belongs to the RRset, so a change of it rewrites every record;
    /// a record that is added takes the TTL of those that stay.
    fn ttl(&self) -> Ttl {
        let (zone, observed) = (self.input.zone, self.input.observed);
        let desired = zone.ttl;
        let keep = |after| Ttl {
            after,
            changes: false,
            held: None,
        };
        let Some(present) = observed.ttl else {
            return keep(desired);
        };
        if self.is_shared() {
            return keep(present);
        }
        let ours = self.done.iter().any(|step| {
            matches!(
                step,
                Step::Stay { ours: true, .. } | Step::Update { .. } | Step::Create { .. }
            )
        });
        if !ours || (present == desired && !observed.mixed_ttl) {
            return keep(present);
        }
        if self.policy() == Changes::CreateOnly {
            return Ttl {
                held: Some(policy_text(self.policy())),
                ..keep(present)
            };
        }
        Ttl {
            after: desired,
            changes: true,
            held: None,
        }
    }
}

/// The RRset's TTL afterwards, in seconds.
struct Ttl {
    after: u32,
    /// True when every record that stays must be rewritten.
    changes: bool,
    /// Set when the change policy forbids rewriting them.
    held: Option<String>,
}

fn is_held(held: &[Held], record: &Srv) -> bool {
    held.iter().any(|held| {
        held.change
            .before()
            .is_some_and(|before| before.same_spelling(record))
    })
}

fn creation<'a>(entry: &Entry<'_>, code: ReasonCode) -> Step<'a> {
    Step::Create {
        after: entry.host.srv.clone(),
        reason: Reason {
            code,
            text: publish_text(entry, code),
        },
    }
}

fn into_change(step: Step<'_>, before_ttl: u32, ttl: u32) -> Change {
    match step {
        Step::Stay { record, .. } => ttl_change(record, before_ttl, ttl),
        Step::Create { after, reason } => Change {
            kind: ChangeKind::Create { after, ttl },
            reason,
        },
        Step::Update {
            before,
            after,
            reason,
        } => Change {
            kind: ChangeKind::Update {
                before: before.clone(),
                before_ttl,
                after,
                ttl,
            },
            reason,
        },
        Step::Delete { before, reason } => Change {
            kind: ChangeKind::Delete {
                before: before.clone(),
                before_ttl,
            },
            reason,
        },
    }
}

fn ttl_change(record: &Srv, before_ttl: u32, ttl: u32) -> Change {
    let text = if before_ttl == ttl {
        format!("the records of the set have different TTLs; {ttl} s is configured")
    } else {
        format!("the TTL is {before_ttl} s; {ttl} s is configured")
    };
    Change {
        kind: ChangeKind::Update {
            before: record.clone(),
            before_ttl,
            after: record.clone(),
            ttl,
        },
        reason: Reason {
            code: ReasonCode::TtlDrift,
            text,
        },
    }
}

/// By record, deletions before additions.
pub(super) fn by_record(a: &Change, b: &Change) -> Ordering {
    fn record(change: &Change) -> Option<&Srv> {
        change.before().or(change.after())
    }
    let rank = |change: &Change| match change.kind {
        ChangeKind::Delete { .. } => 0,
        ChangeKind::Update { .. } => 1,
        ChangeKind::Create { .. } => 2,
    };
    record(a).cmp(&record(b)).then(rank(a).cmp(&rank(b)))
}

fn publish_text(entry: &Entry<'_>, code: ReasonCode) -> String {
    let verdict = entry.verdict;
    match code {
        ReasonCode::HostForced => verdict.reason.clone(),
        ReasonCode::StandbyNeeded => {
            format!(
                "standby, too few active hosts are published and up; {}",
                verdict.reason
            )
        }
        _ => format!("up and not published; {}", verdict.reason),
    }
}

fn withdraw_text(entry: &Entry<'_>, code: ReasonCode) -> String {
    let verdict = entry.verdict;
    match code {
        ReasonCode::HostRetired => "role = \"retired\" in the inventory".to_owned(),
        ReasonCode::ExpectEmpty => "the zone is declared expect = \"empty\"".to_owned(),
        ReasonCode::HostForced => verdict.reason.clone(),
        ReasonCode::StandbyIdle => "standby, and enough active hosts are up".to_owned(),
        _ if verdict.spared => verdict.reason.clone(),
        _ => match verdict.since {
            Some(since) => format!("down since {since:.0}; {}", verdict.reason),
            None => format!("down; {}", verdict.reason),
        },
    }
}

fn drift_text(before: &Srv, after: &Srv) -> String {
    let fields: Vec<String> = [
        ("priority", before.priority, after.priority),
        ("weight", before.weight, after.weight),
        ("port", before.port, after.port),
    ]
    .into_iter()
    .filter(|(_field, is, should)| is != should)
    .map(|(field, is, should)| format!("{field} is {is}, {should} is configured"))
    .collect();
    fields.join("; ")
}

fn foreign_text(input: &PlanInput<'_>, record: &Srv) -> String {
    let target = &record.target;
    if target.is_root() {
        return "the target \".\" says that the service is decidedly not available (RFC 2782)"
            .to_owned();
    }
    if let Some(host) = input.hosts.iter().find(|host| host.name() == target) {
        let retire = if host.role == Role::Retired {
            "retired "
        } else {
            ""
        };
        return format!(
            "the {retire}inventory host {target} is in none of this zone's groups; \
             add the group to the zone, or remove the record"
        );
    }
    if input.memory.was_ours(&input.zone.name, target) {
        return format!(
            "{target} was published by srvkeeper and is no longer in the inventory; \
             add the host again with role = \"retired\" to have it removed"
        );
    }
    format!(
        "no inventory host is called {target}; add it to the inventory, or find out who published it"
    )
}
