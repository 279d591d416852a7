use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Every code that the documents tell of, as they write it, and as 32 bits in decimal.
const SPELLINGS: [(&str, &str, &str); 23] = [
    ("8007232B", "2147951403", "-2147015893"),
    ("8007251D", "2147951901", "-2147015395"),
    ("80092328", "2148082472", "-2146884824"),
    ("8007007B", "2147942523", "-2147024773"),
    ("8007232A", "2147951402", "-2147015894"),
    ("8007267C", "2147952252", "-2147015044"),
    ("80072338", "2147951416", "-2147015880"),
    ("8007232D", "2147951405", "-2147015891"),
    ("80072331", "2147951409", "-2147015887"),
    ("80072332", "2147951410", "-2147015886"),
    ("800706BA", "2147944122", "-2147023174"),
    ("C004F074", "3221549172", "-1073418124"),
    ("C004F038", "3221549112", "-1073418184"),
    ("C004F039", "3221549113", "-1073418183"),
    ("C004F041", "3221549121", "-1073418175"),
    ("C004F042", "3221549122", "-1073418174"),
    ("C004F06C", "3221549164", "-1073418132"),
    ("C0020017", "3221356567", "-1073610729"),
    ("8007139F", "2147947423", "-2147019873"),
    ("80070005", "2147942405", "-2147024891"),
    ("8007000D", "2147942413", "-2147024883"),
    ("8004FE21", "2147810849", "-2147156447"),
    ("80072EE2", "2147954402", "-2147012894"),
];

/// Every event that they tell of, in decimal and hexadecimal.
const EVENTS: [(&str, &str); 6] = [
    ("8198", "2006"),
    ("12288", "3000"),
    ("12289", "3001"),
    ("12290", "3002"),
    ("12293", "3005"),
    ("12294", "3006"),
];

/// The name of what a text is found to be.
fn found(text: &str) -> Option<String> {
    find(&parse(text).ok()?).map(|found| found.entry.name())
}

#[test]
fn every_code_is_found_by_each_of_its_spellings() {
    for (hexadecimal, decimal, signed) in SPELLINGS {
        let name = Some(format!("0x{hexadecimal}"));
        let lower = hexadecimal.to_lowercase();
        for text in [
            format!("0x{hexadecimal}"),
            format!("0x{lower}"),
            format!("0X{hexadecimal}"),
            hexadecimal.to_owned(),
            lower,
            decimal.to_owned(),
            signed.to_owned(),
            format!("\u{2212}{}", &signed[1..]),
            format!("0xFFFFFFFF{hexadecimal}"),
            format!("0x{hexadecimal},"),
            format!("(0x{hexadecimal})"),
            format!("\"{hexadecimal}\"."),
            format!("  [{signed}];"),
            format!("- 0x{hexadecimal}:"),
            format!("Error: 0x{hexadecimal}"),
            format!("hresult={decimal}"),
        ] {
            assert_eq!(found(&text), name, "{text}");
        }
        if let Some(win32) = hexadecimal.strip_prefix("8007") {
            let number = u16::from_str_radix(win32, 16).unwrap();
            for text in [
                win32.to_owned(),
                format!("0x{win32}"),
                number.to_string(),
                format!("Win32 {number}"),
            ] {
                assert_eq!(found(&text), name, "{text}");
            }
        }
    }
}

#[test]
fn every_event_is_found_by_each_of_its_spellings() {
    for (decimal, hexadecimal) in EVENTS {
        for text in [
            decimal.to_owned(),
            format!("0x{hexadecimal}"),
            format!("0x0000{hexadecimal}"),
            hexadecimal.to_owned(),
            format!("Event {decimal}:"),
            format!("(Event ID: {decimal})"),
            format!("<{decimal}>"),
        ] {
            assert_eq!(found(&text).as_deref(), Some(decimal), "{text}");
        }
    }
}

#[test]
fn the_table_holds_those_and_no_others() {
    let names: Vec<String> = entries().map(Entry::name).collect();
    let codes = SPELLINGS
        .iter()
        .map(|(code, _, _)| format!("0x{code}"))
        .collect::<Vec<_>>();
    let events = EVENTS.iter().map(|(event, _)| (*event).to_owned());
    let expected: BTreeSet<String> = codes.into_iter().chain(events).collect();
    assert_eq!(names.len(), expected.len());
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected);
}

/// So that a choice between two readings never hides an entry.
#[test]
fn no_spelling_of_an_entry_is_one_of_another() {
    for entry in entries() {
        let number = entry.number;
        let mut spellings = vec![
            number.to_string(),
            format!("{number:X}"),
            format!("{number:08X}"),
        ];
        if let Some(win32) = entry.win32() {
            spellings.extend([
                win32.to_string(),
                format!("{win32:X}"),
                format!("{win32:04X}"),
            ]);
        }
        for text in spellings {
            let given = parse(&text).unwrap();
            let meant: BTreeSet<u32> = entries()
                .filter(|entry| {
                    given.readings().iter().any(|reading| {
                        reading.value == entry.number
                            || entry.win32().map(u32::from) == Some(reading.value)
                    })
                })
                .map(|entry| entry.number)
                .collect();
            assert_eq!(meant, BTreeSet::from([number]), "{text}");
        }
    }
}

#[test]
fn what_is_read_in_one_of_several_ways_says_so() {
    for (text, said) in [
        (
            "80070005",
            Some("80070005 is read as a hexadecimal number."),
        ),
        (
            "0x251D",
            Some("0x251D is read as a Win32 code, which the HRESULT 0x8007251D wraps."),
        ),
        (
            "(9501)",
            Some("9501 is read as a decimal Win32 code, which the HRESULT 0x8007251D wraps."),
        ),
        (
            "2331",
            Some("2331 is read as a hexadecimal Win32 code, which the HRESULT 0x80072331 wraps."),
        ),
        ("12289", None),
        ("C004F074", None),
        ("3221549172", None),
        ("-1073418124", None),
        ("0x80070005", None),
    ] {
        let found = find(&parse(text).unwrap()).unwrap();
        assert_eq!(found.read_as.as_deref(), said, "{text}");
    }
}

#[test]
fn an_unknown_number_is_near_what_it_is_a_slip_of() {
    for (text, wanted) in [
        ("0xC004F047", "0xC004F074"),
        ("0x8007223B", "0x8007232B"),
        ("3221549173", "0xC004F074"),
        ("9502", "0x8007251D"),
        ("12291", "12290"),
        ("12287", "12288"),
        ("0", "0x80070005"),
    ] {
        let given = parse(text).unwrap();
        assert_eq!(find(&given), None, "{text}");
        let near: Vec<String> = nearest(&given).iter().map(|entry| entry.name()).collect();
        assert_eq!(near.len(), NEAREST);
        assert!(near.iter().any(|name| name == wanted), "{text}: {near:?}");
    }
    for (text, among) in [
        ("12291", true),
        ("12292", true),
        ("12295", false),
        ("8199", false),
    ] {
        assert_eq!(is_among_events(&parse(text).unwrap()), among, "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused_with_an_example() {
    for text in [
        "",
        " ",
        "()",
        "-",
        "--",
        "0x",
        "0xG",
        "KMS",
        "Event",
        "12288 12289",
        "1.5",
        "c004f07z",
        "-0xZ",
        "12 288",
        "\u{1b}[31m",
        "ünicode",
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error, NotACode::NoNumber(text.to_owned()));
        assert!(error.to_string().contains("such as 0xC004F074"), "{error}");
    }
    for text in [
        "99999999999",
        "0x1C004F074",
        "-2147483649",
        "0xFFFFFFFF7004F074",
        "0x11111111111111111",
    ] {
        assert_eq!(
            parse(text),
            Err(NotACode::TooLarge(text.to_owned())),
            "{text}"
        );
    }
}

/// Titles stand in lists of eighty columns, behind a code and two spaces.
#[test]
fn the_texts_are_in_form() {
    for entry in entries() {
        let name = entry.name();
        assert!(entry.title.len() <= 68, "{name}: {}", entry.title);
        assert!(!entry.title.ends_with('.'), "{name}");
        let sentences = [entry.meaning, entry.dns_why]
            .into_iter()
            .chain(entry.unseen)
            .chain(entry.look_at.iter().chain(entry.open).copied());
        for sentence in sentences {
            assert!(sentence.ends_with(['.', '?']), "{name}: {sentence}");
            assert!(sentence.is_ascii(), "{name}: {sentence}");
        }
        for check in entry.checks {
            assert!(check.command.starts_with("srvkeeper "), "{name}");
            assert!(
                !check.tells.ends_with(['.', '?']),
                "{name}: {}",
                check.tells
            );
        }
        assert!(
            !entry.checks.is_empty() || entry.unseen.is_some(),
            "{name}: neither checked nor said to be unseen"
        );
    }
}

#[test]
fn the_fields_stand_in_the_order_of_the_events() {
    let names = |number: u32| -> Vec<&str> {
        let entry = entries().find(|entry| entry.number == number).unwrap();
        match entry.kind {
            Kind::Code => Vec::new(),
            Kind::Event { fields, .. } => fields.iter().map(|field| field.name).collect(),
        }
    };
    assert_eq!(
        names(12288),
        [
            "HRESULT",
            "flags",
            "host:port",
            "CMID",
            "client time",
            "VM",
            "status",
            "minutes",
            "ActID",
            "minimum count"
        ]
    );
    assert_eq!(
        names(12289),
        [
            "HRESULT",
            "flags",
            "activated",
            "count",
            "activation interval",
            "renewal interval",
            "time"
        ]
    );
    assert_eq!(names(12293), ["HRESULT", "domain"]);
    assert_eq!(names(12294), ["domain"]);
}

proptest! {
    #[test]
    fn every_spelling_of_a_number_is_read_as_it(value: u32) {
        let is_read = |text: &str| {
            let given = parse(text).unwrap();
            given.readings().iter().any(|reading| reading.value == value)
        };
        let first = |text: &str| parse(text).unwrap().readings()[0].value;
        prop_assert_eq!(first(&format!("{value:#x}")), value);
        prop_assert_eq!(first(&format!("(0x{value:08X}),")), value);
        prop_assert_eq!(first(&format!("{value:08X}")), value);
        if value.cast_signed() < 0 {
            prop_assert_eq!(first(&format!("FFFFFFFF{value:08X}")), value);
        }
        let (decimal, bare, signed) = (
            value.to_string(),
            format!("{value:X}"),
            value.cast_signed().to_string(),
        );
        prop_assert!(is_read(&decimal));
        prop_assert!(is_read(&bare));
        prop_assert!(is_read(&signed));
        if decimal.len() != 8 {
            prop_assert_eq!(first(&decimal), value);
        }
    }

    #[test]
    fn no_input_panics(text: String) {
        if let Ok(given) = parse(&text) {
            find(&given);
            prop_assert_eq!(nearest(&given).len(), NEAREST);
            is_among_events(&given);
        }
    }

    #[test]
    fn nothing_that_looks_like_a_number_panics(text in "[ (\"-]{0,3}(0x|0X|-|\u{2212})?[0-9a-fA-F]{0,20}[-)., ]{0,3}") {
        if let Ok(given) = parse(&text) {
            prop_assert!(!given.readings().is_empty());
            find(&given);
            nearest(&given);
        }
    }
}
