//! The only DNS sockets: the exchange with a zone's primary, and the resolver.

#![allow(clippy::disallowed_methods, reason = "shell")]

pub mod exchange;
pub mod gss;
pub mod resolve;
