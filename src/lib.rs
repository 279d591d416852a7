//! srvkeeper keeps the `_vlmcs._tcp` SRV records of every DNS zone equal to the set of KMS hosts
//! that really answer.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod apply;
pub mod authority;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod diagnose;
pub mod dns;
pub mod examine;
pub mod exit;
pub mod explain;
pub mod fault;
pub mod health;
pub mod hooks;
pub mod http;
pub mod model;
pub mod observe;
pub mod owner;
pub mod plan;
pub mod probe;
pub mod process;
pub mod progress;
pub mod reconcile;
pub mod render;
pub mod status;
pub mod store;
pub mod wire;
