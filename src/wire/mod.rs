//! Bytes ⇄ model, sans I/O: DNS messages, TSIG and RPC, octet by octet.
//!
//! hickory-proto gives the types of records, classes and opcodes; its messages are built and read only
//! by its own resolver and server, with names from `convert`.
//!
//! Nothing here reads a clock, draws a random number or opens a socket; message IDs and times are
//! passed in. Message IDs are the first two octets: builders leave them 0, the exchange fills them.

pub mod answer;
pub mod convert;
mod message;
pub mod query;
mod reader;
pub mod rpc;
pub mod tkey;
pub mod tsig;
pub mod update;
