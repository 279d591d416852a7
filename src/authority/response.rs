//! Answers, encoded by hickory-server and signed by us.

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Header, HeaderCounts, Metadata, ResponseCode};
use hickory_proto::rr::rdata::TSIG;
use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::binary::{BinDecodable, BinEncoder};
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder};

use crate::wire::tsig::{RejectedRequest, VerifiedRequest};

/// The most octets of an answer over UDP (the value of DNS Flag Day 2020, which no path fragments).
const UDP_PAYLOAD: u16 = 1232;

/// What to say to a request.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) rcode: ResponseCode,
    pub(super) authoritative: bool,
    pub(super) truncated: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) additionals: Vec<Record>,
}

impl From<ResponseCode> for Answer {
    fn from(rcode: ResponseCode) -> Self {
        Self {
            rcode,
            ..Self::default()
        }
    }
}

impl Answer {
    /// What to say instead when this does not fit: over UDP that TCP has it.
    fn too_long(&self, protocol: Protocol) -> Self {
        match protocol {
            Protocol::Udp => Self {
                rcode: self.rcode,
                authoritative: self.authoritative,
                truncated: true,
                ..Self::default()
            },
            _ => Self::from(ResponseCode::ServFail),
        }
    }
}

/// How an answer is to be signed.
pub(super) enum Signature<'k> {
    /// The request was not signed, or is none.
    Unsigned,
    /// With the request's key.
    Verified(VerifiedRequest<'k>),
    /// As far as the rejection allows.
    Rejected(RejectedRequest<'k>),
}

/// Signs and sends an answer; what does not fit is replaced, never cut.
pub(super) async fn send<R: ResponseHandler>(
    answer: &Answer,
    request: &Request,
    signature: &Signature<'_>,
    now: u64,
    mut handle: R,
) -> ResponseInfo {
    let edns = request.edns.as_ref().map(|edns| {
        let mut ours = Edns::new();
        ours.set_max_payload(edns.max_payload().min(UDP_PAYLOAD));
        // Repeated also by who signs nothing (RFC 3225 §3).
        ours.set_dnssec_ok(edns.flags().dnssec_ok);
        ours
    });
    let limit = match (request.protocol(), &edns) {
        (Protocol::Udp, Some(edns)) => edns.max_payload(),
        (Protocol::Udp, None) => 512,
        _ => u16::MAX,
    };
    let shorter;
    let mut answer = answer;
    let mut tsig = sign(answer, request, edns.as_ref(), limit, signature, now);
    if tsig.is_err() {
        shorter = answer.too_long(request.protocol());
        answer = &shorter;
        tsig = sign(answer, request, edns.as_ref(), limit, signature, now);
    }
    let mut response = build(answer, request, edns.as_ref());
    match tsig {
        Ok(Some(tsig)) => response.set_signature(Box::new(tsig)),
        Ok(None) => {}
        Err(Unsendable) => {
            tracing::error!(client = %request.src(), "an answer could not be signed and was not sent");
            return not_sent(request);
        }
    }
    handle
        .send_response(response)
        .await
        .unwrap_or_else(|error| {
            tracing::debug!(client = %request.src(), %error, "an answer could not be sent");
            not_sent(request)
        })
}

/// The answer does not fit, or takes no signature.
struct Unsendable;

impl From<ProtoError> for Unsendable {
    fn from(_: ProtoError) -> Self {
        Self
    }
}

/// The TSIG RR over the octets that hickory-server is going to send.
fn sign(
    answer: &Answer,
    request: &Request,
    edns: Option<&Edns>,
    limit: u16,
    signature: &Signature<'_>,
    now: u64,
) -> Result<Option<Record<TSIG>>, Unsendable> {
    let mut octets = Vec::new();
    let sent = build(answer, request, edns).destructive_emit(&mut BinEncoder::new(&mut octets))?;
    if sent.truncation != answer.truncated {
        return Err(Unsendable);
    }
    let unsigned = octets.len();
    match signature {
        Signature::Unsigned => {}
        Signature::Verified(request) => request
            .sign_answer(&mut octets, now)
            .map_err(|_| Unsendable)?,
        Signature::Rejected(request) => request
            .sign_answer(&mut octets, now)
            .map_err(|_| Unsendable)?,
    }
    if octets.len() > usize::from(limit) {
        return Err(Unsendable);
    }
    let record = octets.get(unsigned..).unwrap_or_default();
    if record.is_empty() {
        return Ok(None);
    }
    Record::from_bytes(record)
        .map_err(|_| Unsendable)?
        .map(|data| match data {
            RData::TSIG(tsig) => Some(tsig),
            _ => None,
        })
        .map(Some)
        .ok_or(Unsendable)
}

fn build<'a>(
    answer: &'a Answer,
    request: &'a Request,
    edns: Option<&'a Edns>,
) -> MessageResponse<
    'a,
    'a,
    impl Iterator<Item = &'a Record> + Send + 'a,
    impl Iterator<Item = &'a Record> + Send + 'a,
    impl Iterator<Item = &'a Record> + Send + 'a,
    impl Iterator<Item = &'a Record> + Send + 'a,
> {
    let mut metadata = Metadata::response_from_request(&request.metadata);
    metadata.response_code = answer.rcode;
    metadata.authoritative = answer.authoritative;
    metadata.truncation = answer.truncated;
    MessageResponseBuilder::new(&request.queries, edns).build(
        metadata,
        &answer.answers,
        &answer.authorities,
        [],
        &answer.additionals,
    )
}

fn not_sent(request: &Request) -> ResponseInfo {
    let mut metadata = Metadata::response_from_request(&request.metadata);
    metadata.response_code = ResponseCode::ServFail;
    ResponseInfo::from(Header {
        metadata,
        counts: HeaderCounts::default(),
    })
}
