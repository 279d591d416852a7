//! Holds answers against the schemas of docs/openapi.json, as far as that file uses JSON Schema.

use std::fs;

use serde_json::Value;

/// The description of the API.
pub(crate) struct Description(Value);

impl Description {
    pub(crate) fn read() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        Self(serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap())
    }

    /// Every path that is described.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.0["paths"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    /// The names of the parameters of a path.
    pub(crate) fn parameters(&self, path: &str) -> Vec<String> {
        let parameters = self.0["paths"][path]["get"]["parameters"].as_array();
        let name = |parameter: &Value| parameter["name"].as_str().unwrap().to_owned();
        parameters.into_iter().flatten().map(name).collect()
    }

    /// Fails unless the value is what a path answers with this status.
    #[track_caller]
    pub(crate) fn check_answer(&self, path: &str, status: u16, kind: &str, value: &Value) {
        let answers = &self.0["paths"][path]["get"]["responses"][status.to_string()];
        let schema = &answers["content"][kind]["schema"];
        assert!(
            schema.is_object(),
            "{path} does not describe {status} as {kind}"
        );
        let mut wrong = Vec::new();
        self.check(schema, value, path, &mut wrong);
        assert!(wrong.is_empty(), "{wrong:#?} in {value:#}");
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            let schema = self
                .0
                .pointer(pointer)
                .unwrap_or_else(|| panic!("no {reference}"));
            return self.check(schema, value, at, wrong);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let misfits = choices.iter().map(|choice| {
                let mut wrong = Vec::new();
                self.check(choice, value, at, &mut wrong);
                wrong
            });
            let misfits: Vec<Vec<String>> = misfits.collect();
            if misfits.iter().filter(|wrong| wrong.is_empty()).count() != 1 {
                wrong.push(format!("{at}: not one of the choices: {misfits:?}"));
            }
            return;
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let allowed: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
            other => panic!("{at}: a schema without a type: {other}"),
        };
        let fits = |allowed: &&str| *allowed == kind || (*allowed == "number" && kind == "integer");
        if !allowed.iter().any(fits) {
            wrong.push(format!("{at}: {value} is no {allowed:?}"));
            return;
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            wrong.push(format!("{at}: {value} is none of {words:?}"));
        }
        if schema["format"] == "date-time"
            && let Some(text) = value.as_str()
            && text.parse::<jiff::Timestamp>().is_err()
        {
            wrong.push(format!("{at}: {text} is no time"));
        }
        if let (Some(minimum), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
            && number < minimum
        {
            wrong.push(format!("{at}: {number} is below {minimum}"));
        }
        if let Some(items) = value.as_array() {
            for (index, item) in items.iter().enumerate() {
                self.check(&schema["items"], item, &format!("{at}[{index}]"), wrong);
            }
        }
        if let Some(members) = value.as_object() {
            self.check_members(schema, members, at, wrong);
        }
    }

    fn check_members(
        &self,
        schema: &Value,
        members: &serde_json::Map<String, Value>,
        at: &str,
        wrong: &mut Vec<String>,
    ) {
        for required in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(required.as_str().unwrap()) {
                wrong.push(format!("{at}: no {required}"));
            }
        }
        for (name, member) in members {
            match schema["properties"].get(name) {
                Some(schema) => self.check(schema, member, &format!("{at}.{name}"), wrong),
                // Others must bear with what a later version adds; what there is must be described.
                None if schema["properties"].is_object() => {
                    wrong.push(format!("{at}: {name} is not described"));
                }
                None => {}
            }
        }
    }
}
