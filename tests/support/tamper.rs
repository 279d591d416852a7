//! What becomes of an answer on its way through a hostile relay.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;

use super::tools::SRVKEEPER;

/// Between two octets of a drip: an answer takes far longer than the time-out.
const DRIP: Duration = Duration::from_millis(200);
/// Octets from the end of a TSIG RR's owner to its MAC, with HMAC-SHA256: type, class, TTL and
/// length, the algorithm's name, time, fudge and the MAC's length (RFC 8945 §4.2).
const TO_MAC: usize = 10 + 13 + 6 + 2 + 2;

/// Which answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// To a read before any update.
    Read,
    /// To the negotiation of a key.
    Negotiation,
    /// To an update.
    Update,
    /// To a read after the first update.
    ReadBack,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tampering {
    /// It passes.
    Nothing,
    /// It never comes, the connection stays.
    Hang,
    /// The connection closes instead.
    Close,
    /// The connection is reset instead.
    Reset,
    /// What comes is another protocol's.
    OtherProtocol,
    /// A message shorter than a header comes instead.
    Stub,
    /// The header comes, and octets that are nothing behind it.
    Garbage,
    /// Its question is another one.
    OtherQuestion,
    /// Its ID is another one.
    OtherId,
    /// Its signature is cut off.
    Unsigned,
    /// One bit of its MAC is turned.
    WrongMac,
    /// Its length claims more than comes before the connection closes.
    CutShort,
    /// Its length claims the most that there can be, and no more comes.
    Oversized,
    /// It comes octet by octet.
    Drip,
    /// It says NOTAUTH.
    Denied,
    /// One bit in its middle is turned: with a TKEY, in the server's token.
    WrongToken,
}

/// What becomes of the connection then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    Close,
    Reset,
}

/// Writes the answer to the client, or what has become of it.
pub(super) fn write(
    mut client: &TcpStream,
    answer: &[u8],
    tampering: Tampering,
) -> io::Result<Then> {
    let mut answer = answer.to_vec();
    let mut length = u16::try_from(answer.len()).unwrap();
    match tampering {
        Tampering::Nothing => {}
        Tampering::Hang => return Ok(Then::GoOn),
        Tampering::Close => return Ok(Then::Close),
        Tampering::Reset => return reset(client),
        Tampering::OtherProtocol => {
            client.write_all(b"\x00\x15SSH-2.0-OpenSSH_9.2\r\n")?;
            return Ok(Then::GoOn);
        }
        Tampering::Stub => {
            answer.truncate(5);
            length = 5;
        }
        Tampering::Garbage => answer[12..].fill(0xa5),
        // The last octet of the first label, which is followed by another label's length.
        Tampering::OtherQuestion => answer[13] ^= 1,
        Tampering::OtherId => answer[0] ^= 0x55,
        Tampering::Unsigned => {
            answer.truncate(signature(&answer));
            answer[11] -= 1;
            length = u16::try_from(answer.len()).unwrap();
        }
        Tampering::WrongMac => {
            let mac = signature(&answer) + SRVKEEPER.name.len() + 2 + TO_MAC;
            answer[mac] ^= 1;
        }
        Tampering::CutShort => {
            client.write_all(&(length + 9).to_be_bytes())?;
            client.write_all(&answer)?;
            return Ok(Then::Close);
        }
        Tampering::Oversized => length = u16::MAX,
        Tampering::Drip => {
            for octet in [&length.to_be_bytes(), &answer[..]].concat() {
                client.write_all(&[octet])?;
                thread::sleep(DRIP);
            }
            return Ok(Then::GoOn);
        }
        Tampering::Denied => answer[3] = answer[3] & 0xf0 | 9,
        Tampering::WrongToken => {
            let middle = answer.len() / 2;
            answer[middle] ^= 1;
        }
    }
    client.write_all(&[&length.to_be_bytes(), &answer[..]].concat())?;
    Ok(Then::GoOn)
}

/// Where the signature by [`SRVKEEPER`] begins.
fn signature(answer: &[u8]) -> usize {
    let name = SRVKEEPER.name.as_bytes();
    let owner = [&[u8::try_from(name.len()).unwrap()], name, &[0, 0, 250]].concat();
    let mut places = answer.windows(owner.len());
    places
        .rposition(|place| place == owner)
        .expect("a signature")
}

/// Lets the last close of this connection reset it, and ends who reads from it.
fn reset(client: &TcpStream) -> io::Result<Then> {
    TcpSocket::from_std_stream(client.try_clone()?).set_zero_linger()?;
    client.shutdown(Shutdown::Read)?;
    Ok(Then::Reset)
}
