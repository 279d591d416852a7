//! What an operator should be told without having asked.

use std::fmt;

use super::Name;

/// The closed set of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertKind {
    /// Our own network is suspect: nothing is removed from the zone.
    Freeze,
    /// A guard withholds a change, or too few hosts are published.
    Held,
    /// A record comes back after we removed it, or goes after we added it.
    Contested,
    /// The zone could not be read at its primary.
    Unreadable,
    /// An override is about to end.
    OverrideEnding,
    /// The store does not take what it must keep.
    Store,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Freeze,
        Self::Held,
        Self::Contested,
        Self::Unreadable,
        Self::OverrideEnding,
        Self::Store,
    ];

    /// The word in JSON and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Held => "held",
            Self::Contested => "contested",
            Self::Unreadable => "unreadable",
            Self::OverrideEnding => "override-ending",
            Self::Store => "store",
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What is wrong.
    pub kind: AlertKind,
    /// The zone concerned, where one is.
    pub zone: Option<Name>,
    /// The host concerned, where one is.
    pub host: Option<Name>,
    /// What happened and what to do next, for people.
    pub text: String,
}

impl Alert {
    /// What makes two alerts the same one: the text, with its numbers, does not count.
    pub fn identity(&self) -> AlertIdentity {
        AlertIdentity {
            kind: self.kind,
            zone: self.zone.clone(),
            host: self.host.clone(),
        }
    }
}

/// Tells one alert from another; see [`Alert::identity`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertIdentity {
    kind: AlertKind,
    zone: Option<Name>,
    host: Option<Name>,
}

impl AlertIdentity {
    /// What is wrong.
    pub fn kind(&self) -> AlertKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(kind: AlertKind, zone: Option<&str>, host: Option<&str>, text: &str) -> Alert {
        let name = |text| Name::parse(text).unwrap();
        Alert {
            kind,
            zone: zone.map(name),
            host: host.map(name),
            text: text.to_owned(),
        }
    }

    #[test]
    fn kind_zone_and_host_make_the_identity_and_the_text_does_not() {
        let held = alert(AlertKind::Held, Some("a.example."), Some("k.example."), "1");
        for (other, same) in [
            (
                alert(AlertKind::Held, Some("A.EXAMPLE."), Some("K.example."), "2"),
                true,
            ),
            (
                alert(
                    AlertKind::Contested,
                    Some("a.example."),
                    Some("k.example."),
                    "1",
                ),
                false,
            ),
            (
                alert(AlertKind::Held, Some("b.example."), Some("k.example."), "1"),
                false,
            ),
            (alert(AlertKind::Held, Some("a.example."), None, "1"), false),
            (alert(AlertKind::Held, None, Some("k.example."), "1"), false),
        ] {
            assert_eq!(held.identity() == other.identity(), same, "{other:?}");
        }
    }

    #[test]
    fn each_kind_has_a_word_of_its_own() {
        let mut words: Vec<_> = AlertKind::ALL.map(AlertKind::as_str).to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), AlertKind::ALL.len());
    }
}
