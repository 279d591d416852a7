//! Which zones are shown: filter, order, page.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Level, Status, ZoneState, ZoneStatus};

/// The order of the zones shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Those that ask for attention first, then by name.
    #[default]
    Problems,
    /// By name.
    Name,
    /// Those that were changed last first.
    Changed,
}

impl Order {
    /// The order of this name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "problems" => Some(Self::Problems),
            "name" => Some(Self::Name),
            "changed" => Some(Self::Changed),
            _ => None,
        }
    }
}

/// Which zones are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those whose name has this text in it; in lower case.
    pub search: Option<String>,
    /// Only the zone of this name; in lower case, with the final dot.
    pub zone: Option<String>,
    /// Only those that ask for attention.
    pub problems: bool,
    /// Only those in this state.
    pub state: Option<ZoneState>,
    /// The order.
    pub order: Order,
    /// The page, the first being 1.
    pub page: usize,
    /// Zones on a page; `None`: all of them on one.
    pub per_page: Option<usize>,
}

/// The zones shown, and where they stand among all that fit.
#[derive(Debug, Clone)]
pub struct Page<Z = Arc<ZoneStatus>> {
    /// The zones of this page.
    pub zones: Vec<Z>,
    /// How many fit, on all pages.
    pub total: usize,
    /// This page; past the last one it is empty.
    pub page: usize,
    /// Zones on a page; `None`: all of them on one.
    pub per_page: Option<usize>,
    /// How many pages there are, at least one.
    pub pages: usize,
}

/// The zones that are asked for.
pub fn select(status: &Status, selection: &Selection) -> Page {
    let mut fitting: Vec<&Arc<ZoneStatus>> = status
        .zones
        .iter()
        .filter(|zone| fits(zone, selection))
        .collect();
    match selection.order {
        Order::Problems => fitting
            .sort_by_cached_key(|zone| (Reverse(zone.level()), zone.state(), zone.zone.clone())),
        Order::Name => fitting.sort_by(|a, b| (&a.zone, &a.owner).cmp(&(&b.zone, &b.owner))),
        Order::Changed => fitting.sort_by_cached_key(|zone| {
            let at = zone.last_change.as_ref().map(|change| change.at);
            (Reverse(at), zone.zone.clone())
        }),
    }
    let fitting = fitting.into_iter().cloned();
    Page::of(fitting, selection.page, selection.per_page)
}

impl<Z> Page<Z> {
    /// The page of this number of all that fit, in their order.
    pub fn of(
        fitting: impl ExactSizeIterator<Item = Z>,
        page: usize,
        per_page: Option<usize>,
    ) -> Self {
        let (total, page) = (fitting.len(), page.max(1));
        let per_page = per_page.map(|zones| zones.max(1));
        let size = per_page.unwrap_or(total.max(1));
        let shown = fitting.skip((page - 1).saturating_mul(size)).take(size);
        Self {
            zones: shown.collect(),
            total,
            page,
            per_page,
            pages: total.div_ceil(size).max(1),
        }
    }
}

fn fits(zone: &ZoneStatus, selection: &Selection) -> bool {
    let name = || zone.zone.to_string().to_lowercase();
    let is_named = |wanted: &String| name() == *wanted;
    let has = |text: &String| name().contains(text.as_str());
    (!selection.problems || zone.level() != Level::Ok)
        && selection.state.is_none_or(|state| state == zone.state())
        && selection.zone.as_ref().is_none_or(is_named)
        && selection.search.as_ref().is_none_or(has)
}
