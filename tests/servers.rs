//! The same scenarios on every kind of server; `docs/servers.md` is what came of them.
//!
//! A test for each server, so that they run side by side and one may run alone.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod matrix;
mod support;

use matrix::{BindKdc, BindTsig, KnotTsig, NsdTsig, OwnPrimary, PowerDnsTsig, SambaDc, play};

#[test]
fn bind() {
    play(&BindTsig::start());
}

#[test]
fn bind_with_kerberos() {
    play(&BindKdc::start());
}

#[test]
fn knot() {
    play(&KnotTsig::start());
}

#[test]
fn powerdns() {
    play(&PowerDnsTsig::start());
}

#[test]
fn samba() {
    play(&SambaDc::start());
}

#[test]
fn nsd() {
    play(&NsdTsig::start());
}

#[test]
fn the_embedded_primary() {
    play(&OwnPrimary::start());
}
