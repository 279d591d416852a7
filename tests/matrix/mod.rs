//! The same scenarios against every kind of server, and the document that tells what came of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests drive processes and files"
)]

mod document;
mod scenarios;
mod servers;
mod stage;

use document::compare;
use scenarios::SCENARIOS;
pub(crate) use servers::{BindKdc, BindTsig, KnotTsig, NsdTsig, OwnPrimary, PowerDnsTsig, SambaDc};
use stage::{Cell, Server};

/// Plays every scenario on the server, and compares what came of them with the document.
pub(crate) fn play(server: &impl Server) {
    let cells: Vec<Cell> = SCENARIOS
        .iter()
        .map(|scenario| scenario.play(server))
        .collect();
    compare(server.title(), &cells);
}
