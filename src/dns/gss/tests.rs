//! What needs no KDC.

use super::*;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[test]
fn the_space_reserved_is_that_of_a_negotiated_key() {
    assert_eq!(overhead(), 28 + 10 + 26 + 64);
}

#[test]
fn the_servers_principal_comes_from_its_name() {
    for (mname, realm, expected) in [
        (
            "DC1.Corp.Example.",
            "CORP.EXAMPLE",
            Some("DNS/dc1.corp.example@CORP.EXAMPLE"),
        ),
        ("ns1.", "", Some("DNS/ns1")),
        (".", "R", None),
        ("a/b.example.", "R", None),
        ("a@b.example.", "R", None),
        ("two\\032words.example.", "R", None),
    ] {
        assert_eq!(
            service_of(&name(mname), realm).as_deref(),
            expected,
            "{mname}"
        );
    }
}
