//! Real name servers, fake KMS hosts and the program itself, for tests on loopback.
//!
//! Every endpoint gets a loopback address of its own, so tests may run side by side. Whatever is
//! started is ended when its owner is dropped, by its own process id.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests drive processes, files and sockets, and each test uses its part of this"
)]

mod address;
mod bind;
mod browser;
mod corp;
mod daemon;
mod document;
mod embedded;
mod http;
mod kdc;
mod kms;
mod knot;
mod namespace;
mod nsd;
mod page;
mod powerdns;
mod primary;
mod proxy;
mod samba;
mod schema;
mod site;
mod systemd;
mod tamper;
mod tools;
mod unbound;

pub(crate) use address::unused_address;
pub(crate) use bind::{Bind, Control};
pub(crate) use browser::Browser;
pub(crate) use corp::{OWNER, ZONE, history, holding, lines, outcomes, published};
pub(crate) use daemon::{Daemon, eventually};
pub(crate) use document::{block, blocks, document, replaced, with_addresses};
pub(crate) use embedded::Embedded;
pub(crate) use http::{Answer, Http, Stream};
pub(crate) use kdc::{DEAD_REALM, HOST, Kdc, REALM, SERVICE, SILENT_REALM};
pub(crate) use kms::Kms;
pub(crate) use knot::Knot;
pub(crate) use namespace::{in_a_namespace, is_in_a_namespace, run};
pub(crate) use nsd::Nsd;
pub(crate) use page::{expect_clean, expect_no_stranger, opened, origin, row_has, serving};
pub(crate) use powerdns::PowerDns;
pub(crate) use primary::{Primary, ZoneText};
pub(crate) use proxy::{Fate, Proxy};
pub(crate) use samba::{DOMAIN, Samba};
pub(crate) use schema::Description;
pub(crate) use site::{Run, Running, Site};
pub(crate) use systemd::Systemd;
pub(crate) use tamper::{Moment, Tampering};
pub(crate) use tools::{
    RIVAL, SRVKEEPER, TsigKey, UNGRANTED, answer_size, clock_an_hour_behind, clock_off, dig,
    nsupdate, serial, shell_in, signatures,
};
pub(crate) use unbound::Unbound;
