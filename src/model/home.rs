//! The server that a zone stays with.

use std::fmt;
use std::net::SocketAddr;

use super::{Observed, Srv};

/// The server on which an RRset was last written, or may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Its address.
    pub server: SocketAddr,
    /// What it was last seen to publish, by a run that may write; `None`: an update is in doubt
    /// there, and nothing was read since.
    pub published: Option<Published>,
}

/// An RRset without where and when it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Its TTL in seconds; `None`: no RRset.
    pub ttl: Option<u32>,
    /// Its records, in [`Srv`] order.
    pub records: Vec<Srv>,
}

impl Published {
    /// The part of an observation that every server of the zone should give alike.
    pub fn of(observed: &Observed) -> Self {
        Self {
            ttl: observed.ttl,
            records: observed.records.clone(),
        }
    }

    /// True when an observation shows this RRset.
    pub fn is_in(&self, observed: &Observed) -> bool {
        self.ttl == observed.ttl && self.records == observed.records
    }
}

/// `0 0 1688 kms1.corp.example. ttl=3600`, or `empty`.
impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.records.is_empty() {
            return f.write_str("empty");
        }
        for (index, record) in self.records.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{record}")?;
        }
        match self.ttl {
            Some(ttl) => write!(f, " ttl={ttl}"),
            None => Ok(()),
        }
    }
}
