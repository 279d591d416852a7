//! Zones of which the same is said, told together: a dead server fails a hundred zones in the same
//! words, but for their names.

use std::collections::BTreeMap;

use crate::model::Name;

/// What stands in a text where each zone has its own name.
const PLACE: &str = "ZONE";

/// Zones of which the same is said.
pub(super) struct Cause<'a, K> {
    /// What they have in common beside the text.
    pub(super) kind: K,
    /// In the order in which they came.
    pub(super) zones: Vec<&'a Name>,
    /// Their places among all that were given.
    pub(super) places: Vec<usize>,
    /// The text; of several zones with `ZONE` in the place of their names.
    pub(super) text: String,
}

/// Puts zones of one kind together that say the same, in the order of the first of each.
pub(super) fn by_cause<'a, K: Ord + Copy>(
    said: impl IntoIterator<Item = (&'a Name, K, &'a str)>,
) -> Vec<Cause<'a, K>> {
    let mut causes: Vec<Cause<'a, K>> = Vec::new();
    let mut known: BTreeMap<(K, String), usize> = BTreeMap::new();
    for (place, (zone, kind, text)) in said.into_iter().enumerate() {
        let general = without_name(text, &zone.to_string());
        let next = causes.len();
        let index = *known.entry((kind, general)).or_insert(next);
        match causes.get_mut(index) {
            Some(cause) => {
                cause.zones.push(zone);
                cause.places.push(place);
            }
            None => causes.push(Cause {
                kind,
                zones: vec![zone],
                places: vec![place],
                text: text.to_owned(),
            }),
        }
    }
    for cause in &mut causes {
        if let [first, _, ..] = cause.zones.as_slice() {
            cause.text = without_name(&cause.text, &first.to_string());
        }
    }
    causes
}

/// All of the names, in one text.
pub(super) fn names(zones: &[&Name]) -> String {
    let names: Vec<String> = zones.iter().map(|zone| zone.to_string()).collect();
    names.join(", ")
}

/// The text with [`PLACE`] wherever the name stands, by itself or as the end of a longer one.
fn without_name(text: &str, name: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(name) {
        let is_of_a_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '\\');
        let begins = !before.ends_with(is_of_a_name);
        let ends = !after.starts_with(is_of_a_name);
        out.push_str(before);
        out.push_str(if begins && ends { PLACE } else { name });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn zones_that_say_the_same_but_for_their_names_stand_together() {
        let zones = ["a.", "b.", "c.", "d."].map(name);
        let said = [
            "zone a. cannot be read: 192.0.2.1:53: REFUSED for _vlmcs._tcp.a.",
            "zone b. cannot be read: 192.0.2.1:53: REFUSED for _vlmcs._tcp.b.",
            "zone c. cannot be read: 192.0.2.2:53: REFUSED for _vlmcs._tcp.c.",
            "zone d. cannot be read: 192.0.2.1:53: REFUSED for _vlmcs._tcp.d.",
        ];
        let causes = by_cause(zones.iter().zip(said).map(|(zone, text)| (zone, 0, text)));
        let told: Vec<(String, &str)> = causes
            .iter()
            .map(|cause| (names(&cause.zones), cause.text.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "a., b., d.".to_owned(),
                    "zone ZONE cannot be read: 192.0.2.1:53: REFUSED for _vlmcs._tcp.ZONE"
                ),
                ("c.".to_owned(), said[2]),
            ]
        );
    }

    #[test]
    fn another_kind_is_another_cause() {
        let zones = ["a.", "b."].map(name);
        let causes = by_cause([(&zones[0], 1, "same"), (&zones[1], 2, "same")]);
        assert_eq!(causes.len(), 2);
    }

    #[test]
    fn a_name_within_a_word_stays() {
        assert_eq!(
            without_name("data. a. x.a. a.b", "a."),
            "data. ZONE x.ZONE a.b"
        );
    }
}
