//! The bearer token (RFC 6750).

use std::fmt;

use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

/// What a client must present.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// A token as it stands in its file, without the line's end.
    pub fn new(text: SecretString) -> Self {
        Self(text)
    }

    /// True for the value of an `Authorization` header that presents this token. How long it takes
    /// does not tell how much of it was right.
    pub fn fits(&self, header: &[u8]) -> bool {
        let Some((scheme, presented)) = header.split_at_checked(7) else {
            return false;
        };
        // Their MACs are compared, since ring does that in constant time; the key hides nothing.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"srvkeeper bearer token");
        let wanted = hmac::sign(&key, self.0.expose_secret().as_bytes());
        scheme.eq_ignore_ascii_case(b"bearer ")
            && hmac::verify(&key, presented, wanted.as_ref()).is_ok()
    }

    /// True when both are the same.
    pub fn is(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_token_fits() {
        let token = Token::new("correct-horse-battery".into());
        for (header, fits) in [
            ("Bearer correct-horse-battery", true),
            ("bearer correct-horse-battery", true),
            ("Bearer correct-horse-batter", false),
            ("Bearer correct-horse-battery ", false),
            ("Bearer  correct-horse-battery", false),
            ("Basic correct-horse-battery", false),
            ("Bearer ", false),
            ("Bearer", false),
            ("", false),
            ("correct-horse-battery", false),
        ] {
            assert_eq!(token.fits(header.as_bytes()), fits, "{header}");
        }
        assert!(!token.fits(&[0xff; 40]));
        assert_eq!(format!("{token:?}"), "Token([REDACTED])");
    }
}
