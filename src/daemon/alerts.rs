//! Alerts are raised once per state, not once per run.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Alert, AlertIdentity, AlertKind, Name};

/// What is looked at as a whole, so that what is missing from it has ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// A zone, by the owner name of its RRset.
    Zone(Name),
    /// Our own network.
    Network,
    /// Every override.
    Overrides,
    /// The store.
    Store,
}

/// Alerts of one kind, raised together, of which each is a call of `on_alert`.
const CALLS: usize = 20;

/// Those of the alerts raised together that `on_alert` hears: of many of a kind, as when the primary of
/// thousands of zones dies, the first, and one more that counts the others. The log has them all.
pub(super) fn to_call(raised: Vec<Alert>) -> Vec<Alert> {
    let mut numbers: BTreeMap<AlertKind, usize> = BTreeMap::new();
    let mut calls = raised;
    calls.retain(|alert| {
        let number = numbers.entry(alert.kind).or_default();
        *number += 1;
        *number <= CALLS
    });
    let more = numbers
        .into_iter()
        .filter(|(_kind, number)| *number > CALLS);
    calls.extend(more.map(|(kind, number)| Alert {
        kind,
        zone: None,
        host: None,
        text: format!(
            "{} more alerts of kind {kind} at the same time; `srvkeeper status` and the log name them",
            number - CALLS
        ),
    }));
    calls
}

/// The alerts that have been raised and still hold.
#[derive(Debug, Default)]
pub(super) struct OpenAlerts(BTreeMap<Scope, BTreeSet<AlertIdentity>>);

impl OpenAlerts {
    /// Takes all that holds in the scope now, and returns what did not hold before.
    ///
    /// What no longer holds is forgotten, and raised again when it comes back. A scope that is
    /// gone, such as a zone after a reload, ends with an empty list.
    pub(super) fn update(&mut self, scope: Scope, now: Vec<Alert>) -> Vec<Alert> {
        let before = self.0.remove(&scope).unwrap_or_default();
        let mut open = BTreeSet::new();
        let new = now
            .into_iter()
            .filter(|alert| {
                let identity = alert.identity();
                let is_new = !before.contains(&identity);
                open.insert(identity) && is_new
            })
            .collect();
        if !open.is_empty() {
            self.0.insert(scope, open);
        }
        new
    }

    /// True while an alert of this kind holds in the scope.
    pub(super) fn holds(&self, scope: &Scope, kind: AlertKind) -> bool {
        let open = self.0.get(scope);
        open.is_some_and(|open| open.iter().any(|identity| identity.kind() == kind))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn alert(word: &str) -> Alert {
        let (kind, host) = word.split_once(' ').unwrap();
        Alert {
            kind: AlertKind::ALL
                .into_iter()
                .find(|known| known.as_str() == kind)
                .unwrap(),
            zone: Some(name("corp.example.")),
            host: (host != "-").then(|| name(host)),
            text: String::new(),
        }
    }

    fn alerts(words: &str) -> Vec<Alert> {
        words
            .split(", ")
            .filter(|word| !word.is_empty())
            .map(alert)
            .collect()
    }

    fn zone(text: &str) -> Scope {
        Scope::Zone(name(text))
    }

    #[test]
    fn each_state_raises_once_and_again_after_it_ended() {
        let mut open = OpenAlerts::default();
        for (now, raised) in [
            ("", ""),
            ("freeze -", "freeze -"),
            ("freeze -", ""),
            ("freeze -, held kms1.", "held kms1."),
            ("held kms1., freeze -, held kms2.", "held kms2."),
            ("held KMS1.", ""),
            ("freeze -, held kms1., held kms1.", "freeze -"),
            ("", ""),
            ("held kms1., held kms1.", "held kms1."),
            ("unreadable -", "unreadable -"),
        ] {
            let new = open.update(zone("corp.example."), alerts(now));
            assert_eq!(new, alerts(raised), "{now}");
        }
    }

    #[test]
    fn the_text_may_change_while_the_state_lasts() {
        let mut open = OpenAlerts::default();
        let told = |text: &str| Alert {
            text: text.to_owned(),
            ..alert("freeze -")
        };
        assert_eq!(open.update(Scope::Store, vec![told("1")]), [told("1")]);
        assert_eq!(open.update(Scope::Store, vec![told("2")]), []);
    }

    #[test]
    fn scopes_do_not_disturb_one_another() {
        let mut open = OpenAlerts::default();
        let scopes = [
            zone("a.example."),
            zone("b.example."),
            Scope::Overrides,
            Scope::Store,
        ];
        for scope in &scopes {
            let new = open.update(scope.clone(), alerts("held kms1."));
            assert_eq!(new.len(), 1, "{scope:?}");
        }
        for scope in &scopes {
            open.update(scope.clone(), Vec::new());
            for other in scopes.iter().filter(|other| *other != scope) {
                let new = open.update(other.clone(), alerts("held kms1."));
                assert_eq!(new, [], "{other:?} after {scope:?}");
            }
            assert_eq!(open.update(scope.clone(), alerts("held kms1.")).len(), 1);
        }
        assert_eq!(open.update(zone("A.Example."), alerts("held kms1.")), []);
    }

    #[test]
    fn a_kind_holds_in_its_scope_until_it_ends() {
        let mut open = OpenAlerts::default();
        let (here, elsewhere) = (zone("a.example."), zone("b.example."));
        open.update(here.clone(), alerts("unreadable -, held kms1."));
        assert!(open.holds(&here, AlertKind::Unreadable));
        assert!(!open.holds(&here, AlertKind::Freeze));
        assert!(!open.holds(&elsewhere, AlertKind::Unreadable));
        open.update(here.clone(), alerts("held kms1."));
        assert!(!open.holds(&here, AlertKind::Unreadable));
    }

    #[test]
    fn many_of_a_kind_at_once_are_few_calls() {
        let few = alerts("held kms1., freeze -");
        assert_eq!(to_call(few.clone()), few);
        let full = vec![alert("unreadable -"); CALLS];
        assert_eq!(to_call(full.clone()), full);
        let many = [vec![alert("unreadable -"); 2_000], few.clone()].concat();
        let calls = to_call(many);
        assert_eq!(calls.len(), CALLS + few.len() + 1);
        assert_eq!(calls[CALLS..CALLS + few.len()], few);
        let last = calls.last().unwrap();
        assert_eq!((last.kind, &last.zone), (AlertKind::Unreadable, &None));
        assert!(last.text.starts_with("1980 more alerts of kind unreadable"));
    }

    #[test]
    fn what_has_ended_leaves_nothing_behind() {
        let mut open = OpenAlerts::default();
        open.update(zone("a.example."), alerts("freeze -, held kms1."));
        open.update(zone("a.example."), Vec::new());
        assert!(open.0.is_empty());
    }

    const WORDS: [&str; 4] = ["freeze -", "held -", "held kms1.", "held kms2."];

    proptest! {
        /// Whatever comes and goes: raised is exactly what holds and did not hold in the same
        /// scope the time before.
        #[test]
        fn raised_is_what_is_new_in_its_scope(
            steps in prop::collection::vec((0..2_usize, prop::collection::vec(any::<bool>(), 4)), 0..40)
        ) {
            let scopes = [zone("a.example."), Scope::Overrides];
            let mut open = OpenAlerts::default();
            let mut before = [vec![false; 4], vec![false; 4]];
            for (scope, holds) in steps {
                let listed = |chosen: &dyn Fn(usize) -> bool| -> Vec<Alert> {
                    (0..4).filter(|&at| chosen(at)).map(|at| alert(WORDS[at])).collect()
                };
                let raised = open.update(scopes[scope].clone(), listed(&|at| holds[at]));
                prop_assert_eq!(raised, listed(&|at| holds[at] && !before[scope][at]));
                before[scope] = holds;
            }
        }
    }
}
