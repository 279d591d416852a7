//! Scenarios in, one line of text out; and what holds for every zone there could be.

mod alerts;
mod contest;
mod desired;
mod diff;
mod guards;
mod home;
mod properties;
mod refresh;
mod rollback;
mod support;
