//! Bytes ⇄ model, sans I/O: DNS messages through hickory-proto, TSIG and RPC by ourselves.
//!
//! Nothing here reads a clock, draws a random number or opens a socket; message IDs and times are
//! passed in. Message IDs are the first two octets: builders leave them 0, the exchange fills them.

pub mod answer;
pub mod convert;
pub mod query;
mod reader;
pub mod rpc;
pub mod tkey;
pub mod tsig;
pub mod update;
