//! Refreshing: the same records added again, so that scavenging (Active Directory) leaves them.
//!
//! A refresh changes nothing, so that it is neither planned nor kept in the history. Each RRset has
//! its moment within its interval, by its name alone: those of many zones are spread over the
//! interval, and stay where they are when zones come and go or the daemon is started again.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Expect, Host, Name, Observed, Role, Srv, State, Verdicts, Zone};

/// When an RRset is to be refreshed.
#[derive(Debug, Clone, Copy)]
pub struct RefreshTimes<'a> {
    /// The owner name of the RRset.
    pub owner: &'a Name,
    /// How often; longer than nothing.
    pub every: Duration,
    /// When it was last refreshed; `None`: never.
    pub last: Option<Timestamp>,
}

/// The records to add again, as read: those of the zone's hosts that are up.
///
/// None of a set that has different TTLs: adding one record would change those of the others.
pub fn refreshable(
    zone: &Zone,
    hosts: &[Host],
    observed: &Observed,
    verdicts: &Verdicts,
) -> Vec<Srv> {
    if observed.mixed_ttl || zone.expect == Expect::Empty {
        return Vec::new();
    }
    let mut up: Vec<&Name> = zone
        .hosts
        .iter()
        .filter_map(|&index| Some((hosts.get(index)?, verdicts.hosts.get(index)?)))
        .filter(|(host, verdict)| host.role != Role::Retired && verdict.state == State::Up)
        .map(|(host, _verdict)| host.name())
        .collect();
    up.sort();
    let is_up = |record: &&Srv| up.binary_search(&&record.target).is_ok();
    observed.records.iter().filter(is_up).cloned().collect()
}

/// Which of the RRsets is to be refreshed next, by its place among them, and when; `None`: none.
///
/// The time may have passed. `since` is when the daemon began: an RRset that was never refreshed
/// waits for its moment after that, so that a new configuration makes no burst. One whose moment
/// passed while nothing ran is due at once.
pub fn next_refresh<'a>(
    zones: impl IntoIterator<Item = RefreshTimes<'a>>,
    since: Timestamp,
    now: Timestamp,
) -> Option<(usize, Timestamp)> {
    zones
        .into_iter()
        .enumerate()
        .map(|(place, times)| (due(&times, since, now), place))
        .min()
        .map(|(due, place)| (place, due))
}

/// The RRset's first moment after it was last refreshed. A clock that was set back postpones none
/// for longer than the interval.
fn due(times: &RefreshTimes<'_>, since: Timestamp, now: Timestamp) -> Timestamp {
    let every = i64::try_from(times.every.as_millis())
        .unwrap_or(i64::MAX)
        .max(1);
    let after = times.last.unwrap_or(since).min(now).as_millisecond();
    let moment = moment(times.owner, every);
    let begin = after.saturating_sub(after.saturating_sub(moment).rem_euclid(every));
    Timestamp::from_millisecond(begin.saturating_add(every)).unwrap_or(Timestamp::MAX)
}

/// Where in the interval the RRset's moment lies, in milliseconds: a hash of its name (64-bit
/// FNV-1a), which no other release may compute differently.
fn moment(owner: &Name, every: i64) -> i64 {
    let name = owner.to_string().to_ascii_lowercase();
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    // The high bits of FNV-1a are the well mixed ones.
    let hash = i64::try_from(hash >> 1).unwrap_or_default();
    hash.rem_euclid(every)
}
